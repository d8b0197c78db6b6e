//! Causes, remedies and deaths in Portuguese; their English is their `Display`.

use crate::death::{Death, SpawnFailure};
use crate::diagnosis::Cause;
use crate::healing::Remedy;
use crate::notify::Language;

impl Cause {
    /// In a language, without a capital: it fits into a sentence.
    pub fn told(self, language: Language) -> String {
        let portuguese = match self {
            _ if language == Language::En => return self.to_string(),
            Self::PortInUse => "o endereço dele está ocupado por outro processo",
            Self::PermissionDenied => "não tem permissão para o que precisa fazer",
            Self::MissingModule => "uma biblioteca que ele importa não está instalada",
            Self::MissingFile => "um arquivo de que precisa não existe",
            Self::MissingCommand => "um programa de que precisa não existe",
            Self::BadConfig => "a configuração está errada",
            Self::MissingEnvVar => "uma variável de ambiente de que precisa não está definida",
            Self::SyntaxError => "o próprio código não pode ser lido",
            Self::VersionIncompatibility => "as versões não combinam",
            Self::WrongArchitecture => "foi compilado para outro processador",
            Self::AlreadyRunning => "outra instância tem a trava dele",
            Self::OutOfMemoryHeap => "a memória que o ambiente dele pode usar acabou",
            Self::OomKilled => "foi encerrado porque a memória acabou",
            Self::MemoryLeak => "a memória dele cresce sem parar",
            Self::CpuRunaway => "calcula sem chegar a lugar nenhum",
            Self::Overload => "há mais trabalho do que ele consegue fazer",
            Self::StackOverflow => "chama a si mesmo sem fim",
            Self::DiskFull => "o disco está cheio",
            Self::InotifyLimit => "o limite de arquivos vigiados foi atingido",
            Self::TooManyOpenFiles => "o limite de arquivos abertos foi atingido",
            Self::ThreadExhaustion => "não é possível criar mais threads nem processos",
            Self::ClockSkew => "o relógio está errado",
            Self::DependencyUnreachable => "uma dependência não responde",
            Self::DependencyAuthFailed => "uma dependência recusa as credenciais dele",
            Self::DnsFailure => "um nome não pode ser resolvido",
            Self::TlsCertificate => "um certificado não é aceito",
            Self::DbSchema => "o banco de dados tem outro esquema, diferente do esperado",
            Self::DbTooManyConnections => "o banco de dados não tem mais conexões",
            Self::DbLock => "perdeu para uma trava no banco de dados",
            Self::RateLimited => "um serviço que ele usa limita as chamadas",
            Self::UncaughtException => "tem um defeito: ninguém tratou uma exceção",
            Self::PanicAssertion => "uma das próprias verificações falhou",
            Self::Segfault => "tocou em memória que não é dele",
            Self::DeadlockOrHang => "travou",
            Self::DataCorruption => "os dados estão danificados",
            Self::ExternalKill => "alguém o encerrou",
            Self::CleanExit => "o trabalho dele estava feito",
            Self::Unknown => "as evidências não dizem",
        };
        portuguese.to_owned()
    }
}

impl Remedy {
    /// In a language, without a capital: it fits into a sentence.
    pub fn told(&self, language: Language) -> String {
        let portuguese = match self {
            _ if language == Language::En => return self.to_string(),
            Self::Restart => "reiniciar",
            Self::RestartWithBackoff => "reiniciar, cada vez mais tarde",
            Self::StopAndNotify => "deixar parado e avisar uma pessoa",
            Self::WaitForDependency => "aguardar a dependência",
            Self::FreeDisk => "liberar o disco dos logs antigos do próprio zelador",
            Self::RaiseLimitAndRestart => "aumentar o limite e reiniciar",
            Self::Reload => "recarregar",
            Self::ScaleOut => "acrescentar uma réplica",
            Self::KillPortHolder => "encerrar o processo que ocupa a porta",
            Self::CollectGarbage => "coletar o lixo da memória",
            Self::ClearCache => "esvaziar os caches",
            Self::Reconnect => "reconectar",
            Self::Command(name) => return format!("executar `{name}`"),
            Self::NotifyOnly => "avisar uma pessoa",
            Self::None => "nada",
        };
        portuguese.to_owned()
    }

    /// What takes it back, in a language.
    pub fn undo_in(&self, language: Language) -> Option<&'static str> {
        match self {
            _ if language == Language::En => self.undo(),
            Self::ScaleOut => Some("tirar a réplica que foi acrescentada"),
            Self::RaiseLimitAndRestart => Some("voltar o limite na próxima partida"),
            Self::StopAndNotify => Some("iniciar"),
            _ => None,
        }
    }

    /// What must hold after it, in a language.
    pub fn must_hold_in(&self, language: Language) -> &'static str {
        match self {
            _ if language == Language::En => self.must_hold(),
            Self::Restart
            | Self::RestartWithBackoff
            | Self::RaiseLimitAndRestart
            | Self::Reload => "deve estar no ar, ficar no ar, e a própria verificação deve passar",
            Self::CollectGarbage | Self::ClearCache => {
                "deve usar menos memória, e não subir de novo"
            }
            Self::Reconnect | Self::ScaleOut | Self::Command(_) => {
                "a própria verificação deve passar"
            }
            Self::FreeDisk => "o volume deve ter espaço de novo",
            Self::KillPortHolder => "a porta deve estar livre",
            Self::WaitForDependency => {
                "aquilo de que precisa deve voltar, e ele se recuperar sozinho"
            }
            Self::StopAndNotify | Self::NotifyOnly | Self::None => "uma pessoa deve saber",
        }
    }
}

impl Death {
    /// In a language; fits after the name of what died.
    pub fn told(&self, language: Language) -> String {
        match self {
            _ if language == Language::En => self.to_string(),
            Self::Exited { code } => format!("saiu com o código {code}"),
            Self::Signaled { signal, core_dumped } => {
                let core = if *core_dumped { " (com imagem da memória)" } else { "" };
                format!("foi encerrado por {signal}{core}")
            }
            Self::OutOfMemory => "foi encerrado porque a memória acabou".to_owned(),
            Self::StartTimedOut => "não ficou pronto a tempo".to_owned(),
            Self::NeverStarted(failure) => {
                format!("não pôde ser iniciado: {}", failure.told(language))
            }
            Self::Unknown => "terminou sem que ninguém visse".to_owned(),
        }
    }
}

impl SpawnFailure {
    /// In a language; fits after "could not be started: ".
    pub fn told(&self, language: Language) -> String {
        match self {
            _ if language == Language::En => self.to_string(),
            Self::ProgramNotFound(program) if program.contains('/') => {
                format!("o programa `{program}` não existe")
            }
            Self::ProgramNotFound(program) => {
                format!("programa `{program}` não encontrado no PATH")
            }
            Self::NoSuchVersion { wanted, found } => format!(
                "{wanted} não está instalado por nvm, fnm, volta, mise, asdf nem n; instalados: {}",
                found.told(language)
            ),
            Self::NotExecutable { program, reason } => {
                format!("o programa `{program}` não pode ser executado: {}", reason.told(language))
            }
            Self::Directory { path, reason } => {
                format!("não é possível entrar na pasta `{path}`: {}", reason.told(language))
            }
            Self::User { user, reason } => {
                format!("não pode executar como `{user}`: {}", reason.told(language))
            }
            Self::EnvFile { path, reason } => {
                format!("env_file `{path}` não pode ser usado: {}", reason.told(language))
            }
            Self::Setting { field, found, allowed } => {
                let (found, allowed) = (found.told(language), allowed.told(language));
                format!("{field}: encontrado {found}, permitido: {allowed}")
            }
            Self::Other(text) => text.told(language).to_owned(),
        }
    }
}
