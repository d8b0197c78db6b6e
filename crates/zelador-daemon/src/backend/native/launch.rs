//! From the core's launch to the guardian's: program found, names resolved, bytes ready.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use zelador_core::death::SpawnFailure;
use zelador_core::launch::{Channel, Launch};
use zelador_core::spec::Environment;
use zelador_core::words;
use zelador_core::words::{Words, quoted};
use zelador_guardian::DESCRIPTORS_PER_RUN;
use zelador_guardian::message::{self, Stage, Stream};

use super::{Handed, identity, limits, versions};
use crate::errno;

/// Where programs are looked up when the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the request to the guardian, or why it cannot be made.
pub(super) fn request(
    launch: &Launch,
    label: Vec<u8>,
    handed: &Handed,
) -> Result<message::Launch, SpawnFailure> {
    if label.len() > message::LONGEST_LABEL {
        return Err(SpawnFailure::Other(words!(
            "the paths of its log files are too long",
            "os caminhos dos arquivos de log dele são longos demais"
        )));
    }
    let mut env = launch.env.clone();
    let (program, argv0) = match launch.program.strip_prefix("node@") {
        Some(version) => of_version(version, &mut env)?,
        None => {
            let program = find(&launch.program, launch.is_script, &env, &launch.cwd)?;
            (program, launch.program.clone())
        }
    };
    let (mut uid, mut gid) = (None, None);
    let mut groups = None;
    if let Some(name) = &launch.gid {
        let no_group = || unknown(name, words!("no such group", "esse grupo não existe"));
        gid = Some(identity::group(name).ok_or_else(no_group)?);
    }
    if let Some(name) = &launch.uid {
        let no_user = || unknown(name, words!("no such user", "esse usuário não existe"));
        let user = identity::user(name).ok_or_else(no_user)?;
        uid = Some(user.uid);
        gid = gid.or(Some(user.gid));
        groups = gid.map(|gid| identity::groups_of(&user.name, gid));
        let own = [("HOME", &user.home), ("USER", &user.name), ("LOGNAME", &user.name)];
        for (variable, value) in own {
            // What the app declares for itself stays.
            if !launch.declared.contains(variable) {
                env.insert(variable.to_owned(), value.clone());
            }
        }
    }
    if let Some(names) = &launch.limits.groups {
        let known = |name: &String| {
            let unknown = || {
                let allowed = words!("groups of this host", "grupos deste servidor");
                limits::refused("limits.groups", quoted(format!("{name:?}")), allowed)
            };
            identity::group(name).ok_or_else(unknown)
        };
        groups = Some(names.iter().map(known).collect::<Result<Vec<u32>, _>>()?);
    }
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if own.0 != 0 {
        // Who is that user already needs no right to become it.
        if uid.is_none_or(|uid| uid == own.0) && gid.is_none_or(|gid| gid == own.1) {
            if launch.limits.groups.is_some() {
                let allowed = words!(
                    "nothing, since zelador does not run as root",
                    "nada, pois o zelador não roda como root"
                );
                return Err(limits::refused("limits.groups", limits::a_list(), allowed));
            }
            (uid, gid, groups) = (None, None, None);
        } else {
            let name = launch.uid.as_ref().or(launch.gid.as_ref());
            let name = name.map(String::as_str).unwrap_or_default();
            let user = own.0;
            let reason = words!(
                "zelador runs as user {user} and not as root",
                "o zelador roda como o usuário {user}, e não como root",
            );
            return Err(unknown(name, reason));
        }
    }
    let mut argv = vec![argv0.into_bytes()];
    argv.extend(launch.args.iter().map(|arg| arg.clone().into_bytes()));
    ipc_variables(&mut env, launch.channel, handed.channel_at);
    // What zelador itself was told by its service manager is nothing for its services.
    for name in HANDED.into_iter().filter(|name| !launch.declared.contains(*name)) {
        env.remove(name);
    }
    env.extend(handed.env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let mut extras = limits::extras(&launch.limits)?;
    extras.passed.clone_from(&handed.numbers);
    extras.channel_at = handed.channel_at;
    // A zero byte ends a string for the kernel: such a variable cannot be handed over.
    let variables = env.iter().filter(|(name, value)| {
        !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
    });
    Ok(message::Launch {
        program: program.as_os_str().as_bytes().to_vec(),
        argv,
        env: variables.map(|(name, value)| format!("{name}={value}").into_bytes()).collect(),
        cwd: launch.cwd.as_os_str().as_bytes().to_vec(),
        uid,
        gid,
        groups,
        nofile: None,
        out: stream(launch.out_inherited, &launch.out),
        err: stream(launch.err_inherited, &launch.err),
        input: true,
        channel: launch.channel != Channel::None,
        label,
        cgroup: false,
        lasting: launch.tree,
        extras: Box::new(extras),
    })
}

/// The variables of `sd_notify(3)` and `sd_listen_fds(3)`.
const HANDED: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
];

fn stream(inherited: bool, files: &[PathBuf]) -> Stream {
    match (inherited, files) {
        (true, _) => Stream::Inherit,
        (false, []) => Stream::Null,
        (false, _) => Stream::Pipe,
    }
}

/// The program of a version of Node, and what it is called; its folder comes first in PATH, so that
/// `npm` and children are of that version too.
fn of_version(version: &str, env: &mut Environment) -> Result<(PathBuf, String), SpawnFailure> {
    let folder = versions::node(version, env)?;
    let path = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let path = format!("{}:{path}", folder.display());
    env.insert("PATH".to_owned(), path);
    Ok((folder.join("node"), "node".to_owned()))
}

/// Tells Node of its channel. What zelador itself inherited is not handed on: it names descriptors that
/// the service has not.
fn ipc_variables(env: &mut Environment, channel: Channel, at: Option<u32>) {
    for name in ["NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID"] {
        env.remove(name);
    }
    let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    if channel != Channel::None {
        set("NODE_CHANNEL_FD", &at.unwrap_or(crate::ipc::DESCRIPTOR).to_string());
        set("NODE_CHANNEL_SERIALIZATION_MODE", "json");
    }
    if let Channel::Cluster { worker } = channel {
        set("NODE_UNIQUE_ID", &worker.to_string());
        set("NODE_CLUSTER_SCHED_POLICY", "none");
    }
}

fn unknown(name: &str, reason: Words) -> SpawnFailure {
    SpawnFailure::User { user: name.to_owned(), reason }
}

/// Returns the absolute path of a program: looked up in the environment's PATH when it is a bare
/// word, and in the working directory when it is relative. `is_script`: a bare word too is looked up
/// there first.
fn find(
    program: &str,
    is_script: bool,
    env: &Environment,
    cwd: &Path,
) -> Result<PathBuf, SpawnFailure> {
    let not_found = || SpawnFailure::ProgramNotFound(program.to_owned());
    if program.contains('/') {
        let path = cwd.join(program);
        return match path.metadata() {
            Ok(_) => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_found()),
            Err(error) => Err(not_executable(&path, errno::said(&error))),
        };
    }
    let here = Some(cwd.join(program)).filter(|path| is_script && path.is_file());
    if let Some(path) = here.as_ref().filter(|path| is_executable(path)) {
        return Ok(path.clone());
    }
    let path = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let candidates = path.split(':').filter(|folder| !folder.is_empty());
    candidates
        .map(|folder| cwd.join(folder).join(program))
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| match here {
            Some(path) => not_executable(&path, errno::said(&Errno::ACCESS.into())),
            None => not_found(),
        })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

fn not_executable(path: &Path, reason: Words) -> SpawnFailure {
    SpawnFailure::NotExecutable { program: path.display().to_string(), reason }
}

/// What the guardian's answer means; `what` names the program, directory or user where it can.
pub(super) fn failure(stage: Stage, errno: i32, launch: &Refused) -> SpawnFailure {
    let error = io::Error::from_raw_os_error(errno);
    let reason = match errno {
        libc::ENOEXEC => words!(
            "the file is neither a program nor a script with a first line like #!/bin/sh",
            "o arquivo não é um programa nem um script com uma primeira linha como #!/bin/sh"
        ),
        libc::ENOENT if stage == Stage::Exec => words!(
            "the interpreter in its first line (#!) does not exist",
            "o interpretador na primeira linha dele (#!) não existe"
        ),
        _ => errno::said(&error),
    };
    let program = &launch.program;
    match stage {
        Stage::Exec if errno == libc::ETXTBSY => SpawnFailure::Other(words!(
            "program `{program}` is being replaced: {reason}",
            "o programa `{program}` está sendo substituído: {reason}",
            reason = reason,
        )),
        Stage::Exec if is_of_the_host(errno) => {
            no_room(words!("program `{program}`", "o programa `{program}`"), reason)
        }
        Stage::Exec => SpawnFailure::NotExecutable { program: launch.program.clone(), reason },
        Stage::Directory => SpawnFailure::Directory { path: launch.cwd.clone(), reason },
        Stage::Uid | Stage::Gid | Stage::Groups => {
            SpawnFailure::User { user: launch.user.clone(), reason }
        }
        Stage::Pipes if errno == libc::EMFILE => SpawnFailure::Other(words!(
            "zelador may not open more files, of which every app takes about {DESCRIPTORS_PER_RUN}: raise its hard \
             limit (`ulimit -Hn`, or LimitNOFILE= of its service) and begin it anew",
            "o zelador não pode abrir mais arquivos, e cada aplicativo usa cerca de {DESCRIPTORS_PER_RUN}: aumente o \
             limite máximo dele (`ulimit -Hn`, ou LimitNOFILE= do serviço dele) e inicie-o de novo",
        )),
        Stage::Limits => {
            let allowed = words!(
                "what the system lets zelador set",
                "o que o sistema deixa o zelador definir"
            );
            limits::refused("limits", reason, allowed)
        }
        Stage::Oom => limits::refused("limits.oom_score_adj", reason, a_higher_number()),
        Stage::Nice => limits::refused("limits.nice", reason, a_higher_number()),
        Stage::Io => {
            let allowed = words!("`best-effort` or `idle`", "`best-effort` ou `idle`");
            limits::refused("limits.ionice", reason, allowed)
        }
        Stage::Capabilities => {
            let allowed = words!(
                "capabilities that zelador has itself, with CAP_SETPCAP",
                "capacidades que o próprio zelador tenha, com CAP_SETPCAP"
            );
            limits::refused("limits.capabilities", reason, allowed)
        }
        Stage::Privileges => {
            let allowed = words!("Linux 3.5 or newer", "Linux 3.5 ou mais novo");
            limits::refused("limits.no_new_privs", reason, allowed)
        }
        Stage::Pipes => no_room(words!("its pipes", "os pipes dele"), reason),
        Stage::Fork => no_room(words!("its process", "o processo dele"), reason),
        Stage::Cgroup => no_room(words!("its control group", "o grupo de controle dele"), reason),
    }
}

/// Whether it says nothing about the program: it may be executed as soon as the host has room.
fn is_of_the_host(errno: i32) -> bool {
    [libc::ENOMEM, libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::EIO].contains(&errno)
}

fn a_higher_number() -> Words {
    words!("a higher number", "um número maior")
}

fn no_room(thing: Words, reason: Words) -> SpawnFailure {
    SpawnFailure::Other(words!(
        "the system has no room for {thing}: {reason}",
        "o sistema não tem lugar para {thing}: {reason}",
        thing = thing,
        reason = reason,
    ))
}

/// What a failure names.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    program: String,
    cwd: String,
    user: String,
}

impl Refused {
    pub(super) fn of(launch: &Launch) -> Self {
        Self {
            program: launch.program.clone(),
            cwd: launch.cwd.display().to_string(),
            user: launch.uid.clone().or_else(|| launch.gid.clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use zelador_core::notify::Language;

    use super::*;

    #[test]
    fn what_the_guardian_could_not_do_is_told_in_every_language() {
        let refused =
            Refused { program: "/a".to_owned(), cwd: "/b".to_owned(), user: "c".to_owned() };
        let all = [
            (Stage::Exec, libc::ENOENT),
            (Stage::Exec, libc::ENOEXEC),
            (Stage::Exec, libc::E2BIG),
            (Stage::Exec, libc::ENOMEM),
            (Stage::Exec, libc::ETXTBSY),
            (Stage::Directory, libc::ENOENT),
            (Stage::Uid, libc::EPERM),
            (Stage::Gid, libc::EPERM),
            (Stage::Groups, libc::EPERM),
            (Stage::Pipes, libc::EMFILE),
            (Stage::Pipes, libc::ENFILE),
            (Stage::Fork, libc::EAGAIN),
            (Stage::Cgroup, libc::EAGAIN),
            (Stage::Limits, libc::EPERM),
            (Stage::Oom, libc::EACCES),
            (Stage::Nice, libc::EACCES),
            (Stage::Io, libc::EPERM),
            (Stage::Capabilities, libc::EPERM),
            (Stage::Privileges, libc::EINVAL),
        ];
        const ENGLISH: [&str; 8] =
            ["the", "not", "its", "lets", "higher", "found", "allowed", "denied"];
        for (stage, errno) in all {
            let told = failure(stage, errno, &refused).told(Language::Pt);
            let words = told.split(|c: char| !c.is_alphanumeric());
            let left: Vec<&str> = words.filter(|word| ENGLISH.contains(word)).collect();
            assert_eq!(left, Vec::<&str>::new(), "{stage:?}: {told}");
        }
        let pair = |stage, errno| {
            let failure = failure(stage, errno, &refused);
            (failure.to_string(), failure.told(Language::Pt))
        };
        let (en, pt) = pair(Stage::Fork, libc::EAGAIN);
        assert_eq!(en, "the system has no room for its process: resource temporarily unavailable");
        assert_eq!(
            pt,
            "o sistema não tem lugar para o processo dele: recurso temporariamente indisponível"
        );
        let (en, _) = pair(Stage::Exec, libc::ENOMEM);
        assert_eq!(en, "the system has no room for program `/a`: cannot allocate memory");
        let (en, pt) = pair(Stage::Nice, libc::EACCES);
        assert_eq!(en, "limits.nice: found permission denied, allowed: a higher number");
        assert_eq!(pt, "limits.nice: encontrado permissão negada, permitido: um número maior");
    }

    #[test]
    fn a_bare_script_is_looked_for_here_before_path_and_an_interpreter_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (cwd, bin) = (folder.path().join("app"), folder.path().join("bin"));
        for (path, mode) in
            [(cwd.join("run"), 0o755), (bin.join("run"), 0o755), (cwd.join("text"), 0o644)]
        {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let env = Environment::from([("PATH".to_owned(), bin.display().to_string())]);
        let find = |program: &str, is_script| find(program, is_script, &env, &cwd);
        assert_eq!(find("run", true).unwrap(), cwd.join("run"));
        assert_eq!(find("run", false).unwrap(), bin.join("run"));
        assert!(matches!(find("text", true), Err(SpawnFailure::NotExecutable { .. })));
        assert!(matches!(find("none", true), Err(SpawnFailure::ProgramNotFound(_))));
    }
}
