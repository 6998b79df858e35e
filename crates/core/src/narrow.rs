//! Numbers in fewer than eight bytes, for what there are millions of.

/// A number in so many bytes, which need no alignment. What does not fit becomes the greatest that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Narrow<const BYTES: usize>([u8; BYTES]);

impl<const BYTES: usize> Narrow<BYTES> {
    /// The greatest number.
    pub(crate) const MAX: u64 = u64::MAX >> (u64::BITS as usize - 8 * BYTES);

    pub(crate) fn of(number: u64) -> Self {
        let mut narrow = [0; BYTES];
        narrow.copy_from_slice(&number.min(Self::MAX).to_le_bytes()[..BYTES]);
        Self(narrow)
    }

    pub(crate) fn get(self) -> u64 {
        let mut wide = [0; 8];
        wide[..BYTES].copy_from_slice(&self.0);
        u64::from_le_bytes(wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_comes_back_and_more_becomes_the_greatest() {
        assert_eq!(Narrow::<3>::MAX, 0xff_ffff);
        for number in [0, 1, 255, 256, 0x12_3456, Narrow::<3>::MAX] {
            assert_eq!(Narrow::<3>::of(number).get(), number);
        }
        assert_eq!(Narrow::<3>::of(1 << 24).get(), Narrow::<3>::MAX);
        assert_eq!(Narrow::<5>::of(u64::MAX).get(), (1 << 40) - 1);
        assert_eq!(size_of::<Narrow<5>>(), 5);
    }
}
