//! Colours, and what stands for them where none are wanted. Only the 16 that every terminal has.

use ratatui::style::{Color, Modifier, Style};

use crate::monit::state::Look;
use crate::render::terminal::Colour;

/// Returns how text of a colour looks.
pub fn paint(look: &Look, colour: Colour) -> Style {
    let style = Style::new();
    if !look.colours {
        return match colour {
            Colour::Red | Colour::Yellow | Colour::Cyan | Colour::Magenta => {
                style.add_modifier(Modifier::BOLD)
            }
            Colour::Green | Colour::Blue => style,
            Colour::Grey => style.add_modifier(Modifier::DIM),
        };
    }
    style.fg(match colour {
        Colour::Green => Color::Green,
        Colour::Yellow => Color::Yellow,
        Colour::Red => Color::Red,
        Colour::Grey => Color::DarkGray,
        Colour::Cyan => Color::Cyan,
        Colour::Blue => Color::Blue,
        Colour::Magenta => Color::Magenta,
    })
}

/// Returns how what is chosen looks.
pub fn chosen() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

/// Returns how what matters looks.
pub fn strong() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}
