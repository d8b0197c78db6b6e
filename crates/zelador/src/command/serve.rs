//! `serve`: a folder with static files becomes an app.

use std::env;
use std::process::ExitCode;

use zelador_api::Unchanged;
use zelador_api::config::{Key, Node, Value};

use super::{Context, act, start};
use crate::cli::serve::Serve;
use crate::declare;
use crate::failure::Failure;
use crate::serve_files::Variable;
use crate::{output, voice};

/// PM2's port.
const PORT: u16 = 8080;

/// Serves a folder.
pub fn serve(context: &Context, asked: &Serve) -> Result<ExitCode, Failure> {
    // Whoever gives the command may have said it in the variables that the server reads.
    let given = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
    let port = asked.port.or(asked.port_option);
    let port = port.or_else(|| given(Variable::PORT)?.parse().ok()).unwrap_or(PORT);
    let host = asked.host.clone().or_else(|| given(Variable::HOST));
    if !asked.path.is_dir() {
        return Err(Failure::with_help(
            format!("{} is no folder", asked.path.display()),
            "`zelador serve FOLDER PORT`",
        ));
    }
    let folder = declare::whole_path(&asked.path).unwrap_or_else(|| asked.path.clone());
    let username = asked.basic_auth_username.clone().or_else(|| given(Variable::USERNAME));
    let password = asked.basic_auth_password.clone().or_else(|| given(Variable::PASSWORD));
    if username.is_some() != password.is_some() {
        return Err(Failure::with_help(
            "a login needs a name and a password",
            "`--basic-auth-username NAME`, and the password in PM2_SERVE_BASIC_AUTH_PASSWORD",
        ));
    }
    if host.is_none() {
        output::note(&format!(
            "port {port} is open on every address of this host, as with PM2; `--host 127.0.0.1` keeps it to this host"
        ));
    }
    let flag = |on: bool| on.then(|| "true".to_owned());
    let variables = [
        (Variable::PATH, Some(folder.display().to_string())),
        (Variable::PORT, Some(port.to_string())),
        (Variable::HOST, host),
        (Variable::SPA, flag(asked.spa)),
        (Variable::LISTING, flag(asked.ftp)),
        (Variable::USERNAME, username),
        (Variable::PASSWORD, password),
    ];
    let variables = variables
        .into_iter()
        .filter_map(|(name, value)| Some((Key::new(name), Node::from(Value::from(value?)))));
    let name = asked.name.clone().unwrap_or_else(|| format!("static-page-server-{port}"));
    let mut fields = vec![("name", Value::from(name)), ("env", Value::Table(variables.collect()))];
    fields.extend(asked.namespace.clone().map(|name| ("namespace", Value::from(name))));
    let (spec, notes) = declare::app("serve", &[], fields)?;
    notes.iter().for_each(|note| output::note(note));
    let done = start::declare_one(context, spec, Unchanged::LeaveAlone)?;
    if voice::is_pm2() {
        output::remark(&format!("Serving {} on port {port}", folder.display()));
    }
    act::finish(context, &done)
}
