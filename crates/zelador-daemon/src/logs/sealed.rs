//! Words with their check sum behind them: what was written of them is whole, or is seen not to be.

/// Writes the words out, the last of them as the check sum of the others; `bytes` has eight for each.
pub(super) fn seal(words: &mut [u64], bytes: &mut [u8]) {
    if let Some((sum, words)) = words.split_last_mut() {
        *sum = check_sum(words);
    }
    for (eight, word) in bytes.chunks_mut(8).zip(words) {
        eight.copy_from_slice(&word.to_le_bytes());
    }
}

/// Reads words that were written so; false: they are not whole.
pub(super) fn unseal(bytes: &[u8], words: &mut [u64]) -> bool {
    for (eight, word) in bytes.chunks_exact(8).zip(&mut *words) {
        *word = eight.try_into().map(u64::from_le_bytes).unwrap_or_default();
    }
    words.split_last().is_some_and(|(sum, words)| *sum == check_sum(words))
}

/// FNV-1a over words; never 0 for a memfd that was never written, because the basis is not 0.
fn check_sum(words: &[u64]) -> u64 {
    let step = |sum: u64, word: &u64| (sum ^ word).wrapping_mul(0x0100_0000_01b3);
    words.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
