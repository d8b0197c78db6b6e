//! Where a fault happens: a folder, a port, an app in it that works, and what breaks it.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Map, Value, json};

use crate::disk;
use crate::home::{Zelador, free_port, http_get};
use crate::process::{installed, program};

const NODE: &str = include_str!("services/service.js");
const PYTHON: &str = include_str!("services/service.py");
const C: &str = include_str!("services/service.c");
const RUST: &str = include_str!("services/service.rs");
const PHP: &str = include_str!("services/service.php");
const RUBY: &str = include_str!("services/service.rb");
const JAVA: &str = include_str!("services/service.java");
const GO: &str = include_str!("services/service.go");

/// A folder and a port for one fault.
#[derive(Debug)]
pub struct Place {
    name: &'static str,
    folder: PathBuf,
    port: u16,
    mounts: Result<(), String>,
}

impl Place {
    /// `mounts`: whether disks may be mounted, or why not.
    pub(super) fn new(zelador: &Zelador, name: &'static str, mounts: Result<(), String>) -> Self {
        let folder = zelador.app().join(name);
        fs::create_dir(&folder).expect("every fault has a name of its own");
        Self { name, folder, port: free_port(), mounts }
    }

    /// The name of its app.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The port of its app.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Puts a small disk in the place of the folder, or says why that cannot be.
    pub fn small_disk(&self, options: &str) -> Result<(), String> {
        self.mounts.clone()?;
        disk::mount(&self.folder, options)
    }

    /// Writes a file into its folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("the folder is ours");
        path
    }

    /// The declaration of an app: `script` on its port, asked for its health twice a second.
    pub fn app(&self, script: &str) -> Value {
        json!({
            "name": self.name,
            "script": script,
            "cwd": self.folder,
            "env": { "PORT": self.port.to_string() },
            "kill_timeout": 500,
            "health": {
                "http": format!("http://127.0.0.1:{}/health", self.port),
                "interval": "500ms", "timeout": "1s", "failure_threshold": 2, "success_threshold": 2,
                "start_period": "1s", "verify_within": "10s",
            },
        })
    }

    /// A service of Node; `broken` (JavaScript) runs when it is told to break.
    pub fn node(&self, broken: &str) -> Value {
        self.node_program(&format!("function broken() {{\n{broken}\n}}"))
    }

    /// A service of Node with its functions `broken` and, if it has one, `health`.
    pub fn node_program(&self, functions: &str) -> Value {
        self.write("app.js", &format!("{NODE}\n{functions}\n"));
        self.app("app.js")
    }

    /// A service of Node that does this first at every start.
    pub fn node_that_begins(&self, begins: &str) -> Value {
        self.write("app.js", &format!("{begins}\n{NODE}"));
        self.app("app.js")
    }

    /// A service of Python; `broken` is what its main thread does when it is told to break.
    pub fn python(&self, broken: &str) -> Value {
        self.python_program(&format!("{PYTHON}\n\n{broken}\n"))
    }

    /// A service of Python that does this first at every start.
    pub fn python_that_begins(&self, begins: &str) -> Value {
        self.python_program(&format!("{begins}\n{PYTHON}"))
    }

    /// An app of Python.
    pub fn python_program(&self, text: &str) -> Value {
        self.write("app.py", text);
        let mut app = self.app("app.py");
        app["interpreter"] = json!(program("python3", "python3"));
        app
    }

    /// A service of C; `broken` is what stands before and in its function `broken`.
    pub fn c(&self, before: &str, broken: &str) -> Value {
        self.write("service.c", C);
        self.write("broken.c", &format!("{before}\nvoid broken(void) {{\n{broken}\n}}\n"));
        let words = ["-w", "-g", "-O0", "-pthread", "-o", "app", "service.c", "broken.c"];
        self.build(&program("cc", "gcc"), &words);
        self.binary()
    }

    /// A service of Rust; `broken` is the body of its function `broken`.
    pub fn rust(&self, broken: &str) -> Value {
        self.write("app.rs", &format!("{RUST}fn broken() {{\n{broken}\n}}\n"));
        self.build(&program("rustc", "rustup"), &["-g", "-o", "app", "app.rs"]);
        self.binary()
    }

    /// A service of PHP with its function `broken`, or says what is not installed.
    pub fn php(&self, broken: &str) -> Result<Value, String> {
        installed("php", "php-cli")?;
        self.write("app.php", &format!("{PHP}\nfunction broken() {{\n{broken}\n}}\n"));
        Ok(self.app("app.php"))
    }

    /// A service of Ruby with its method `broken`, or says what is not installed.
    pub fn ruby(&self, broken: &str) -> Result<Value, String> {
        installed("ruby", "ruby")?;
        self.write("app.rb", &format!("def broken\n{broken}\nend\n{RUBY}"));
        Ok(self.app("app.rb"))
    }

    /// A service of Java, with these options of the JVM; `broken` is the body of a method. Or says what
    /// is not installed.
    pub fn java(&self, options: &[&str], broken: &str) -> Result<Value, String> {
        let java = installed("java", "default-jdk-headless")?;
        let compiler = installed("javac", "default-jdk-headless")?;
        self.write("Service.java", JAVA);
        let broken = format!("class Broken {{ static void broken() {{\n{broken}\n}} }}\n");
        self.write("Broken.java", &broken);
        self.build(&compiler, &["-nowarn", "Service.java", "Broken.java"]);
        let mut app = self.app(&java.to_string_lossy());
        app["interpreter"] = json!("none");
        app["args"] = json!([options, &["-cp", ".", "Service"]].concat());
        Ok(app)
    }

    /// A service of Go; `broken` is what stands in its function `broken`. Or says what is not installed.
    pub fn go(&self, broken: &str) -> Result<Value, String> {
        let go = installed("go", "golang-go")?;
        self.write("service.go", GO);
        let broken = format!("package main\n\nfunc broken() {{\n{broken}\n}}\n");
        self.write("broken.go", &broken);
        self.build(&go, &["build", "-o", "app", "service.go", "broken.go"]);
        Ok(self.binary())
    }

    fn binary(&self) -> Value {
        let mut app = self.app("./app");
        app["interpreter"] = json!("none");
        app
    }

    fn build(&self, compiler: &Path, words: &[&str]) {
        let mut command = Command::new(compiler);
        let built = command.args(words).current_dir(&self.folder).output().expect("it is there");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }

    /// A world with this app, which breaks when it is told to, and works when it answers.
    pub fn scene(&self, app: Value) -> Scene {
        let port = self.port;
        Scene {
            apps: vec![app],
            databases: Map::new(),
            inject: Box::new(move |_| _ = http_get(port, "/break")),
            mend: None,
            well: Box::new(move || answers(port)),
            harm: Box::new(|| None),
            kept: Vec::new(),
        }
    }
}

/// Whether a service says that it is well.
pub(super) fn answers(port: u16) -> bool {
    http_get(port, "/health").is_some_and(|(status, _)| status == 200)
}

pub(super) type Act = Box<dyn FnOnce(&Zelador) + Send>;
pub(super) type Look = Box<dyn Fn() -> bool + Send>;
pub(super) type Harm = Box<dyn Fn() -> Option<String> + Send>;

/// A world in which one thing goes wrong.
pub struct Scene {
    /// What is declared; the first is the one that gets sick.
    pub(super) apps: Vec<Value>,
    pub(super) databases: Map<String, Value>,
    pub(super) inject: Act,
    pub(super) mend: Option<Act>,
    pub(super) well: Look,
    pub(super) harm: Harm,
    /// Ended with the scene.
    kept: Vec<Box<dyn Any + Send>>,
}

impl Scene {
    /// Breaks it in another way than by a request.
    #[must_use]
    pub fn inject(mut self, inject: impl FnOnce(&Zelador) + Send + 'static) -> Self {
        self.inject = Box::new(inject);
        self
    }

    /// Brings back what the app needs, when zelador has made up its mind.
    #[must_use]
    pub fn mend(mut self, mend: impl FnOnce(&Zelador) + Send + 'static) -> Self {
        self.mend = Some(Box::new(mend));
        self
    }

    /// Tells in another way than by its health whether the app does its work.
    #[must_use]
    pub fn well(mut self, well: impl Fn() -> bool + Send + 'static) -> Self {
        self.well = Box::new(well);
        self
    }

    /// Says what was damaged that must not be.
    #[must_use]
    pub fn harm(mut self, harm: impl Fn() -> Option<String> + Send + 'static) -> Self {
        self.harm = Box::new(harm);
        self
    }

    /// Keeps something until the end: a server, a lock, a disk.
    #[must_use]
    pub fn keep(mut self, it: impl Any + Send) -> Self {
        self.kept.push(Box::new(it));
        self
    }

    /// Declares a database.
    #[must_use]
    pub fn database(mut self, name: &str, declared: Value) -> Self {
        self.databases.insert(name.to_owned(), declared);
        self
    }
}

/// A program beside the app, quiet, ended when dropped.
#[derive(Debug)]
pub(super) struct Other(Child);

impl Other {
    /// It reads from a pipe that nobody writes into.
    pub fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().expect("the program is there"))
    }

    pub fn lives(&mut self) -> bool {
        self.0.try_wait().expect("it is a child").is_none()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Says why a control group cannot hold a limit of this kind here.
pub(super) fn control_group(controller: &str) -> Result<(), String> {
    let root = Path::new("/sys/fs/cgroup");
    let unified = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    let is_there = unified.split_whitespace().any(|it| it == controller)
        || root.join(controller).join("cgroup.procs").exists();
    if !is_there {
        return Err(format!("this host has no control groups for {controller}"));
    }
    if !rustix::process::geteuid().is_root() {
        return Err("only root has control groups of its own everywhere".to_owned());
    }
    Ok(())
}
