//! Bars over time, made of block characters.

/// The eighths of a block, from none to all.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns the latest values as bars, the latest at the right, in lines from the top; `most` fills
/// all of them. What is not zero is seen.
pub fn bars(
    values: impl DoubleEndedIterator<Item = f64>,
    most: f64,
    width: usize,
    height: usize,
) -> Vec<String> {
    let full = height * 8;
    let eighths = |value: f64| {
        let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
        let eighths = (share * full as f64).round() as usize;
        if share > 0.0 { eighths.max(1) } else { 0 }
    };
    let mut columns: Vec<usize> = values.rev().take(width).map(eighths).collect();
    columns.resize(width, 0);
    columns.reverse();
    let line = |row: usize| {
        let below = (height - 1 - row) * 8;
        columns.iter().map(|it| EIGHTHS[it.saturating_sub(below).min(8)]).collect()
    };
    (0..height).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_values_are_at_the_right_and_the_most_fills_the_height() {
        let values = [9.0, 0.0, 0.01, 4.0, 8.0];
        assert_eq!(bars(values.into_iter(), 8.0, 4, 1), [" ▁▄█"]);
        assert_eq!(bars(values.into_iter(), 8.0, 4, 2), ["   █", " ▁██"]);
        assert_eq!(bars([1.0].into_iter(), 0.0, 3, 1), ["   "]);
    }
}
