//! `token`: the word that asking over the network needs.

use std::process::ExitCode;

use zelador_api::token::{self, Token};

use super::Context;
use crate::failure::Failure;
use crate::{bring_up, output};

/// Prints the token, and makes one when there is none or another one is wanted.
pub fn token(context: &Context, new: bool) -> Result<ExitCode, Failure> {
    let variable = std::env::var(token::VARIABLE).ok();
    if new && variable.is_some() {
        output::note(&format!("{} is set, and wins over the file", token::VARIABLE));
    }
    let token = match Token::read(&context.home, variable.as_deref().filter(|_| !new)) {
        Some(token) if !new => token,
        _ => {
            bring_up::make(context.home.path())?;
            let path = context.home.token();
            Token::make(&context.home).map_err(|error| {
                Failure::new(format!("{} cannot be written: {error}", path.display()))
            })?
        }
    };
    output::answer(&format!("{}\n", token.reveal()))?;
    Ok(ExitCode::SUCCESS)
}
