use super::*;
use crate::diagnosis::{Cause, Snapshot, judge};

/// The C library's words, in each language.
const LIBRARY: &[(Cause, &[&str])] = &[
    (
        PortInUse,
        &[
            "Endereço já em uso",
            "La dirección ya se está usando",
            "Die Adresse wird bereits verwendet",
            "Adresse déjà utilisée",
            "Indirizzo già in uso",
            "Adres jest już w użyciu",
            "Адрес уже используется",
            "アドレスは既に使用中です",
            "地址已在使用",
        ],
    ),
    (
        PermissionDenied,
        &[
            "Permissão negada",
            "Permiso denegado",
            "Keine Berechtigung",
            "Permission non accordée",
            "Permesso negato",
            "Brak dostępu",
            "Отказано в доступе",
            "許可がありません",
            "权限不够",
        ],
    ),
    (
        MissingFile,
        &[
            "Arquivo ou diretório inexistente",
            "No existe el fichero o el directorio",
            "Datei oder Verzeichnis nicht gefunden",
            "Aucun fichier ou dossier de ce type",
            "File o directory non esistente",
            "Nie ma takiego pliku ani katalogu",
            "Нет такого файла или каталога",
            "そのようなファイルやディレクトリはありません",
            "没有那个文件或目录",
        ],
    ),
    (
        DiskFull,
        &[
            "Não há espaço disponível no dispositivo",
            "No queda espacio en el dispositivo",
            "Auf dem Gerät ist kein Speicherplatz mehr verfügbar",
            "Aucun espace disponible sur le périphérique",
            "Spazio esaurito sul device",
            "Brak miejsca na urządzeniu",
            "На устройстве не осталось свободного места",
            "デバイスに空き領域がありません",
            "设备上没有空间",
        ],
    ),
    (
        TooManyOpenFiles,
        &[
            "Muitos arquivos abertos",
            "Demasiados archivos abiertos",
            "Zu viele offene Dateien",
            "Trop de fichiers ouverts",
            "Troppi file aperti",
            "Za dużo otwartych plików",
            "Слишком много открытых файлов",
            "開いているファイルが多すぎます",
            "打开的文件过多",
        ],
    ),
    (
        OutOfMemoryHeap,
        &[
            "Não foi possível alocar memória",
            "No se pudo asignar memoria",
            "Nicht genügend Hauptspeicher verfügbar",
            "Impossible d'allouer de la mémoire",
            "Impossibile allocare memoria",
            "Nie można przydzielić pamięci",
            "Невозможно выделить память",
            "メモリを確保できません",
            "无法分配内存",
        ],
    ),
    (
        DependencyUnreachable,
        &[
            "Conexão recusada",
            "Conexión rehusada",
            "Verbindungsaufbau abgelehnt",
            "Connexion refusée",
            "Connessione rifiutata",
            "Połączenie odrzucone",
            "В соединении отказано",
            "接続を拒否されました",
            "拒绝连接",
        ],
    ),
    (
        DnsFailure,
        &[
            "Nome ou serviço desconhecido",
            "Nombre o servicio desconocido",
            "Der Name oder der Dienst ist nicht bekannt",
            "Nom ou service inconnu",
            "Nome o servizio sconosciuto",
            "Nieznana nazwa lub usługa",
            "Имя или служба не известны",
            "名前またはサービスが不明です",
            "未知的名称或服务",
        ],
    ),
];

#[test]
fn the_words_of_the_c_library_are_known_in_nine_languages() {
    for (cause, words) in LIBRARY {
        for said in *words {
            let log_tail = vec!["ready".to_owned(), format!("shop: db01: {said}")];
            let snapshot = Snapshot {
                exit_code: Some(1),
                uptime_s: Some(3.0),
                log_tail,
                ..Snapshot::default()
            };
            assert_eq!(judge(&snapshot).best.cause, *cause, "{said}");
        }
    }
}
