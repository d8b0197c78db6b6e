//! `zelador evaluate`: evaluates one JavaScript file with limits, in a process of its own.
//!
//! A [`Request`] comes on the standard input, an [`Answer`] goes to the standard output, both as
//! JSON; what the file logs goes to the standard error. What a file can use of node is written in
//! `engine.js`; here are the engine's limits and what that script cannot do itself.

use std::cell::Cell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{
    CatchResultExt, CaughtError, Context, Ctx, Function, Module, Object, Result, Runtime, Symbol,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::outcome::{Answer, Outcome, Thrown};

/// How long a file may run.
pub(super) const LIMIT: Duration = Duration::from_secs(2);
/// How much memory its values may take, in bytes.
const MEMORY: usize = 64 << 20;
/// How deep its calls may go, in bytes of stack; the main thread has 8 MB as a rule.
const STACK: usize = 1 << 20;
/// Above what the engine and this program need together; a second fence, in bytes.
const ADDRESS_SPACE: u64 = 1 << 30;

const ENGINE: &str = include_str!("engine.js");
/// The key under which `engine.js` answers lie in the global object, out of the file's sight.
const ANSWERS: &str = "zelador-answers";

/// Which file to evaluate.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    /// Absolute.
    pub(super) file: PathBuf,
    /// What it holds; `None`: it is read.
    #[serde(default)]
    pub(super) source: Option<String>,
    /// The command line of whoever asks.
    pub(super) argv: Vec<String>,
}

/// Reads a request, evaluates, writes the answer. Success means that there is an answer.
pub fn evaluate_main() -> ExitCode {
    let seconds = LIMIT.as_secs() + 2;
    for (resource, limit) in
        [(Resource::Cpu, seconds), (Resource::As, ADDRESS_SPACE), (Resource::Core, 0)]
    {
        // A host that refuses has limits of its own.
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) }).ok();
    }
    let Ok(request) = serde_json::from_reader::<_, Request>(io::stdin().lock()) else {
        eprintln!("`zelador evaluate` is for zelador's own use");
        return ExitCode::from(2);
    };
    let answer = evaluate(&request);
    let written = serde_json::to_writer(io::stdout().lock(), &answer).is_ok();
    if written && io::stdout().flush().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(super) fn evaluate(request: &Request) -> Answer {
    let interrupted = Rc::new(Cell::new(false));
    let answer = engine(Rc::clone(&interrupted)).and_then(|(runtime, context)| {
        let answer = context.with(|ctx| Ok(answer(&ctx, request)));
        drop(runtime);
        answer
    });
    let mut answer = answer.unwrap_or_else(|error| failed(format!("the engine: {error}")));
    if interrupted.get() {
        answer.outcome = Outcome::TooSlow;
    }
    answer
}

fn failed(message: String) -> Answer {
    let thrown = Thrown { message, stack: String::new() };
    Answer { outcome: Outcome::Threw(thrown), unmet: Vec::new() }
}

fn engine(interrupted: Rc<Cell<bool>>) -> Result<(Runtime, Context)> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(STACK);
    runtime.set_loader(Modules, Modules);
    let end = Instant::now() + LIMIT;
    runtime.set_interrupt_handler(Some(Box::new(move || {
        let late = Instant::now() >= end;
        interrupted.set(interrupted.get() || late);
        late
    })));
    let context = Context::full(&runtime)?;
    Ok((runtime, context))
}

fn answer(ctx: &Ctx<'_>, request: &Request) -> Answer {
    let answers = match prepare(ctx, request).catch(ctx) {
        Ok(answers) => answers,
        Err(error) => return failed(format!("the engine: {error}")),
    };
    let file = request.file.to_string_lossy().into_owned();
    let outcome = answers
        .get("start")
        .and_then(|start: Function<'_>| start.call::<_, String>((file, request.source.as_deref())))
        .catch(ctx);
    let mut outcome = match outcome {
        Ok(json) => serde_json::from_slice(json.as_bytes()).unwrap_or(Outcome::Nothing),
        Err(error) => thrown(&error),
    };
    if let Outcome::Threw(thrown) = &mut outcome {
        let straighten = answers.get("straighten");
        let straight = straighten.and_then(|f: Function<'_>| f.call((thrown.stack.as_str(),)));
        thrown.stack = straight.unwrap_or_else(|_| std::mem::take(&mut thrown.stack));
    }
    let unmet = answers.get("unmet").and_then(|unmet: Function<'_>| unmet.call::<_, String>(()));
    let unmet = unmet
        .ok()
        .and_then(|json| serde_json::from_slice(json.as_bytes()).ok())
        .unwrap_or_default();
    Answer { outcome, unmet }
}

/// Evaluates `engine.js`; its answers stay reachable for the module loader.
fn prepare<'js>(ctx: &Ctx<'js>, request: &Request) -> Result<Object<'js>> {
    let native = super::native::object(ctx, &request.argv)?;
    let engine: Function<'js> =
        super::native::compile(ctx.clone(), ENGINE.into(), "zelador".into())?;
    let answers: Object<'js> = engine.call((native,))?;
    ctx.globals().set(answers_key(ctx)?, answers.clone())?;
    Ok(answers)
}

fn answers_key<'js>(ctx: &Ctx<'js>) -> Result<Symbol<'js>> {
    let symbols: Object<'js> = ctx.globals().get("Symbol")?;
    symbols.get::<_, Function<'js>>("for")?.call((ANSWERS,))
}

fn thrown(error: &CaughtError<'_>) -> Outcome {
    let thrown = match error {
        CaughtError::Exception(exception) => {
            let name: Option<String> = exception.as_object().get("name").ok();
            let message = exception.message().unwrap_or_default();
            if message == "out of memory" {
                return Outcome::TooMuchMemory;
            }
            let stack = exception.stack().unwrap_or_default();
            let name = name.unwrap_or_else(|| "Error".to_owned());
            Thrown { message: format!("{name}: {message}"), stack }
        }
        // The engine throws null when there is no memory for an error either.
        CaughtError::Value(value) if value.is_null() => return Outcome::TooMuchMemory,
        CaughtError::Value(value) => {
            let ctx = value.ctx();
            let json = ctx.json_stringify(value.clone()).ok().flatten();
            let json = json.and_then(|json| json.to_string().ok());
            Thrown { message: format!("threw {}", json.unwrap_or_default()), stack: String::new() }
        }
        CaughtError::Error(error) => Thrown { message: error.to_string(), stack: String::new() },
    };
    Outcome::Threw(thrown)
}

/// `import`, as `engine.js` decides.
struct Modules;

fn ask<'js>(ctx: &Ctx<'js>, question: &str, args: (&str, Option<&str>)) -> Result<String> {
    let answers: Object<'js> = ctx.globals().get(answers_key(ctx)?)?;
    let question: Function<'js> = answers.get(question)?;
    question.call(args)
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        ask(ctx, "resolve", (base, Some(name)))
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let source = ask(ctx, "source", (name, None))?;
        let module = Module::declare(ctx.clone(), name, source)?;
        if let Some((folder, file)) = name.rsplit_once('/') {
            let meta = module.meta()?;
            let path = format!("{folder}/{file}");
            let encoded = path.replace('%', "%25").replace(' ', "%20").replace('#', "%23");
            meta.set("url", format!("file://{}", encoded.replace('?', "%3F")))?;
            meta.set("dirname", if folder.is_empty() { "/" } else { folder })?;
            meta.set("filename", path)?;
        }
        Ok(module)
    }
}
