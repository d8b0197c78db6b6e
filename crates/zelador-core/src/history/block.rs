//! An hour of one series in a few bytes.
//!
//! Points are (seconds since the hour began, value), in order of time. A point costs what its value
//! differs from the one before: usually one to three bytes; a value that stays costs nothing.
//!
//! The bytes: a version (1), then tokens. A token is a variable-length number (LEB128) whose two
//! lowest bits say what the rest means:
//! 0: the difference of the value (zigzag), at the same step of time as before;
//! 1: the difference of the value, and another number follows: the new step of time;
//! 2: so many more points with the same value, at the same step.
//! Before the first point the time is 0, the step 0 and the value 0.

const VERSION: u8 = 1;

const SAME_STEP: u128 = 0;
const NEW_STEP: u128 = 1;
const REPEAT: u128 = 2;

/// The most points that a block may hold: one a second.
pub const MOST: usize = 3600;

/// Packs points, oldest first; a point that is not later than the one before is left out.
pub fn pack(points: &[(u32, i64)]) -> Vec<u8> {
    let mut packer = Packer { bytes: vec![VERSION], ..Packer::default() };
    for (at, value) in points.iter().take(MOST) {
        packer.point(*at, *value);
    }
    packer.flush();
    packer.bytes
}

/// Unpacks a block; `None` when it is none, or was written by a newer zelador.
pub fn unpack(bytes: &[u8]) -> Option<Vec<(u32, i64)>> {
    let (version, mut rest) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let mut points = Vec::new();
    let (mut at, mut step, mut value) = (0_u32, 0_u32, 0_i64);
    while !rest.is_empty() {
        let token = take(&mut rest)?;
        if token & 3 == REPEAT {
            let count = usize::try_from(token >> 2).ok()?;
            if points.len().checked_add(count)? > MOST {
                return None;
            }
            for _ in 0..count {
                at = at.checked_add(step)?;
                points.push((at, value));
            }
            continue;
        }
        if token & 3 == NEW_STEP {
            step = u32::try_from(take(&mut rest)?).ok()?;
        } else if token & 3 != SAME_STEP {
            return None;
        }
        at = at.checked_add(step)?;
        value = i64::try_from(i128::from(value).checked_add(unzigzag(token >> 2))?).ok()?;
        points.push((at, value));
        if points.len() > MOST {
            return None;
        }
    }
    Some(points)
}

#[derive(Default)]
struct Packer {
    bytes: Vec<u8>,
    any: bool,
    at: u32,
    step: u32,
    value: i64,
    repeats: u32,
}

impl Packer {
    fn point(&mut self, at: u32, value: i64) {
        if self.any && at <= self.at {
            return;
        }
        let step = at - self.at;
        let difference = i128::from(value) - i128::from(self.value);
        if self.any && step == self.step && difference == 0 {
            self.repeats += 1;
        } else {
            self.flush();
            let kind = if step == self.step { SAME_STEP } else { NEW_STEP };
            put(&mut self.bytes, zigzag(difference) << 2 | kind);
            if kind == NEW_STEP {
                put(&mut self.bytes, step.into());
            }
        }
        (self.any, self.at, self.step, self.value) = (true, at, step, value);
    }

    fn flush(&mut self) {
        if self.repeats > 0 {
            put(&mut self.bytes, u128::from(self.repeats) << 2 | REPEAT);
            self.repeats = 0;
        }
    }
}

/// Packs the values that all series have at one moment: (series, value), by series.
pub fn pack_row(values: &[(u32, i64)]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let mut last = 0;
    for (series, value) in values {
        put(&mut bytes, u128::from(series.wrapping_sub(last)));
        put(&mut bytes, zigzag(i128::from(*value)));
        last = *series;
    }
    bytes
}

/// Unpacks such a row.
pub fn unpack_row(bytes: &[u8]) -> Option<Vec<(u32, i64)>> {
    let (version, mut rest) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let mut values = Vec::new();
    let mut series = 0_u32;
    while !rest.is_empty() {
        series = series.wrapping_add(u32::try_from(take(&mut rest)?).ok()?);
        values.push((series, i64::try_from(unzigzag(take(&mut rest)?)).ok()?));
    }
    Some(values)
}

fn put(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0_u128;
    // 66 bits of zigzag and two of kind: ten bytes.
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(number: i128) -> u128 {
    (number << 1 ^ number >> 127) as u128
}

fn unzigzag(number: u128) -> i128 {
    (number >> 1) as i128 ^ -((number & 1) as i128)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_hour_that_does_not_change_is_a_handful_of_bytes() {
        let points: Vec<(u32, i64)> = (0..360).map(|at| (at * 10, 123_456_789)).collect();
        let bytes = pack(&points);
        assert!(bytes.len() <= 12, "{} bytes", bytes.len());
        assert_eq!(unpack(&bytes).unwrap(), points);
    }

    #[test]
    fn memory_that_breathes_costs_about_three_bytes_a_point() {
        let value = |at: u32| 80_000_000 + i64::from(at * 7919 % 64) * 4096;
        let points: Vec<(u32, i64)> = (0..360).map(|at| (at * 10, value(at))).collect();
        let bytes = pack(&points);
        assert!(bytes.len() < 360 * 7 / 2, "{} bytes", bytes.len());
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(
            steps in prop::collection::vec((1_u32..40, prop_oneof![Just(0), any::<i64>(), 0_i64..5]), 0..400),
        ) {
            let mut at = 0;
            let points: Vec<(u32, i64)> = steps.into_iter().map(|(step, value)| {
                at += step;
                (at, value)
            }).collect();
            prop_assert_eq!(unpack(&pack(&points)).unwrap(), points);
        }

        #[test]
        fn bytes_of_anybody_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let points = unpack(&bytes).unwrap_or_default();
            prop_assert!(points.len() <= MOST);
            let _ = unpack_row(&bytes);
        }

        #[test]
        fn a_row_comes_out_again(values in prop::collection::btree_map(any::<u32>(), any::<i64>(), 0..100)) {
            let values: Vec<(u32, i64)> = values.into_iter().collect();
            prop_assert_eq!(unpack_row(&pack_row(&values)).unwrap(), values);
        }
    }
}
