//! An XMM register as lanes of 8, 16, 32 or 64 bits, lane 0 the lowest.

/// Defines a pair of functions for one lane width.
macro_rules! lanes {
    ($split:ident, $join:ident, $zip:ident, $lane:ty, $count:literal) => {
        pub fn $split(value: u128) -> [$lane; $count] {
            std::array::from_fn(|lane| (value >> (lane as u32 * <$lane>::BITS)) as $lane)
        }

        pub fn $join(lanes: [$lane; $count]) -> u128 {
            lanes.iter().rev().fold(0, |value, &lane| value << (<$lane>::BITS % 128) | u128::from(lane))
        }

        pub fn $zip(a: u128, b: u128, f: impl Fn($lane, $lane) -> $lane) -> u128 {
            let (a, b) = ($split(a), $split(b));
            $join(std::array::from_fn(|lane| f(a[lane], b[lane])))
        }
    };
}

lanes!(bytes, from_bytes, zip_bytes, u8, 16);
lanes!(words, from_words, zip_words, u16, 8);
lanes!(dwords, from_dwords, zip_dwords, u32, 4);
lanes!(qwords, from_qwords, zip_qwords, u64, 2);
