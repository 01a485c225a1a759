//! Random numbers that are the same on every machine.
//!
//! Everything random in the workspace is sampled from a ChaCha stream named by a seed and
//! a purpose. Different purposes have separate streams, so sampling more numbers for one
//! does not change the numbers of another.

use rand::SeedableRng;
pub use rand_chacha::ChaCha8Rng;

/// Creates the generator for a seed and a purpose.
///
/// A hash of the purpose selects one of ChaCha's 2^64 independent streams.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(fnv1a(purpose.as_bytes()));
    rng
}

/// The 64-bit FNV-1a hash, which is stable. The hash of the standard library may change.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_stream_depends_only_on_seed_and_purpose() {
        let first = |seed, purpose| stream(seed, purpose).random::<u64>();
        assert_eq!(first(7, "halting"), first(7, "halting"));
        assert_ne!(first(7, "halting"), first(7, "batches"));
        assert_ne!(first(7, "halting"), first(8, "halting"));
    }
}
