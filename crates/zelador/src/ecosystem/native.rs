//! What `engine.js` cannot do itself: files, compiling, and facts of the host.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use rquickjs::context::EvalOptions;
use rquickjs::{Ctx, Exception, FromJs, Function, Module, Object, Result, Value};

/// Returns the object that `engine.js` takes.
pub(super) fn object<'js>(ctx: &Ctx<'js>, argv: &[String]) -> Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    native.set("facts", facts(ctx, argv)?)?;
    native.set("read", Function::new(ctx.clone(), read)?)?;
    native.set("kind", Function::new(ctx.clone(), kind)?)?;
    native.set("list", Function::new(ctx.clone(), list)?)?;
    native.set("real", Function::new(ctx.clone(), real)?)?;
    native.set("compile", Function::new(ctx.clone(), compile::<Value<'js>>)?)?;
    native.set("import", Function::new(ctx.clone(), import)?)?;
    native.set("log", Function::new(ctx.clone(), |line: String| eprintln!("{line}"))?)?;
    Ok(native)
}

/// Evaluates a script; its errors name `file`.
pub(super) fn compile<'js, V: FromJs<'js>>(
    ctx: Ctx<'js>,
    source: String,
    file: String,
) -> Result<V> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(file);
    ctx.eval_with_options(source, options)
}

/// The namespace of an ES module, evaluated to its end.
fn import(ctx: Ctx<'_>, file: String) -> Result<Object<'_>> {
    Module::import(&ctx, file)?.finish()
}

fn read(ctx: Ctx<'_>, path: String) -> Result<String> {
    match fs::read(&path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(failure(&ctx, "open", &path, &error)),
    }
}

/// `file`, `folder`, or nothing where there is neither.
fn kind(path: String) -> &'static str {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => "folder",
        Ok(_) => "file",
        Err(_) => "",
    }
}

fn list(ctx: Ctx<'_>, path: String) -> Result<Vec<String>> {
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let names: io::Result<Vec<_>> =
        fs::read_dir(&path).and_then(|entries| entries.map(|entry| entry.map(name)).collect());
    let mut names = names.map_err(|error| failure(&ctx, "scandir", &path, &error))?;
    names.sort();
    Ok(names)
}

fn real(ctx: Ctx<'_>, path: String) -> Result<String> {
    match fs::canonicalize(&path) {
        Ok(real) => Ok(real.to_string_lossy().into_owned()),
        Err(error) => Err(failure(&ctx, "realpath", &path, &error)),
    }
}

/// Throws as node does: with a `code`.
fn failure(ctx: &Ctx<'_>, call: &str, path: &str, error: &io::Error) -> rquickjs::Error {
    let (code, text) = match error.kind() {
        io::ErrorKind::NotFound => ("ENOENT", "no such file or directory".to_owned()),
        io::ErrorKind::PermissionDenied => ("EACCES", "permission denied".to_owned()),
        io::ErrorKind::IsADirectory => ("EISDIR", "illegal operation on a directory".to_owned()),
        io::ErrorKind::NotADirectory => ("ENOTDIR", "not a directory".to_owned()),
        _ => ("EIO", error.to_string()),
    };
    let message = format!("{code}: {text}, {call} '{path}'");
    let thrown = Exception::from_message(ctx.clone(), &message).and_then(|exception| {
        exception.as_object().set("code", code)?;
        Ok(exception)
    });
    thrown.map_or_else(|error| error, Exception::throw)
}

fn facts<'js>(ctx: &Ctx<'js>, argv: &[String]) -> Result<Object<'js>> {
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let numbers = |path: &str| -> Vec<f64> {
        line(path).split(' ').filter_map(|word| word.parse().ok()).collect()
    };
    let memory = line("/proc/meminfo");
    let amount = |name: &str| {
        let line = memory.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes.unwrap_or(0.0) * 1024.0
    };
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let of = |name: &str| env.get(name).cloned();
    let cwd = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let loadavg: Vec<f64> = numbers("/proc/loadavg").into_iter().take(3).collect();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let facts = Object::new(ctx.clone())?;
    facts.set("argv", argv.to_vec())?;
    facts.set("cwd", cwd.to_string_lossy().into_owned())?;
    facts.set("pid", std::process::id())?;
    facts.set("arch", arch)?;
    facts.set("cores", cores as u32)?;
    facts.set("hostname", line("/proc/sys/kernel/hostname"))?;
    facts.set("release", line("/proc/sys/kernel/osrelease"))?;
    facts.set("homedir", of("HOME").unwrap_or_else(|| "/".to_owned()))?;
    facts.set("username", of("USER").or_else(|| of("LOGNAME")).unwrap_or_default())?;
    facts.set("tmpdir", of("TMPDIR").unwrap_or_else(|| "/tmp".to_owned()))?;
    facts.set("totalmem", amount("MemTotal:"))?;
    facts.set("freemem", amount("MemAvailable:"))?;
    facts.set("loadavg", loadavg)?;
    facts.set("uptime", numbers("/proc/uptime").first().copied().unwrap_or(0.0))?;
    facts.set("uid", rustix::process::getuid().as_raw())?;
    facts.set("gid", rustix::process::getgid().as_raw())?;
    facts.set("env", env)?;
    Ok(facts)
}
