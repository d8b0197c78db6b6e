//! What people wrote, where a record quotes it: no evidence, whatever it speaks of.

use super::phrase::find;

/// Words of records that quote people.
const PEOPLE: &[&str] = &[
    "feedback",
    "<comment",
    "<review",
    "<ticket",
    "<subject",
    "<wrote",
    "<message from user",
    "<message from customer",
    "<customer",
    "<chat ",
    "comentário",
    "mensagem do cliente",
    "mensagem do usuário",
    "<assunto",
    "avaliação",
    "comentario",
    "mensaje del cliente",
    "mensaje del usuario",
    "<asunto",
    "kommentar",
    "nachricht vom kunden",
    "<betreff",
    "commentaire",
    "message du client",
];

/// So many blanks a quoted sentence has at least; with fewer it may be a name.
const SENTENCE: usize = 2;

/// Returns a text (in lower case) without the sentence of a person that it quotes.
pub(super) fn without_quotes(text: String) -> String {
    let Some(from) = PEOPLE.iter().filter_map(|word| find(&text, word)).min() else { return text };
    let Some(begin) = text[from..].find(is_quote).map(|at| from + at) else { return text };
    let opens = text[..begin].ends_with([' ', ':', '=', '(']);
    let inside = begin + text[begin..].chars().next().map_or(0, char::len_utf8);
    let end = text[inside..].match_indices(is_quote).map(|(at, _)| inside + at).find(|at| {
        let next = text[*at..].chars().nth(1);
        next.is_none_or(|c| !c.is_alphanumeric()) && !text[..*at].ends_with([' ', '=', ':', '('])
    });
    let end = end.unwrap_or(text.len());
    if !opens || text[inside..end].matches(' ').count() < SENTENCE {
        return text;
    }
    format!("{}{}", &text[..inside], &text[end..])
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '«' | '»' | '„')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_left_out_and_what_a_program_says_is_not() {
        for (text, left) in [
            (r#"ticket 7: "disk is full" saved"#, r#"ticket 7: "" saved"#),
            ("comentário: “sem espaço em disco”", "comentário: “”"),
            (
                r#"customer wrote "out of memory again" err="refused"#,
                r#"customer wrote "" err="refused"#,
            ),
            (
                r#"msg="ticket 8 failed" err="no space left"#,
                r#"msg="ticket 8 failed" err="no space left"#,
            ),
            (r#"ticket "expired token""#, r#"ticket "expired token""#),
            (
                r#"message from server: "too many connections now""#,
                r#"message from server: "too many connections now""#,
            ),
            (r#"cannot open "a b c d""#, r#"cannot open "a b c d""#),
        ] {
            assert_eq!(without_quotes(text.to_owned()), left);
        }
    }
}
