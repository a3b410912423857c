//! Allocations whose size a caller's shape decides: an error where this machine has no memory for them.

use crate::error::{Error, Result};

/// An empty vector with room for `len` elements of `what`.
pub(crate) fn reserve<T>(what: &'static str, len: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    let refused = |_| Error::NoMemory { what, bytes: len as u128 * size_of::<T>() as u128 };
    room.try_reserve_exact(len).map_err(refused)?;
    Ok(room)
}

/// `len` zeros.
pub(crate) fn zeros<T: Clone + Default>(what: &'static str, len: usize) -> Result<Vec<T>> {
    let mut zeros = reserve(what, len)?;
    zeros.resize(len, T::default());
    Ok(zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_an_error() {
        let bytes = usize::MAX as u128 * 8;
        assert_eq!(zeros::<f64>("a test", usize::MAX), Err(Error::NoMemory { what: "a test", bytes }));
        assert_eq!(zeros::<u8>("a test", 3), Ok(vec![0, 0, 0]));
    }
}
