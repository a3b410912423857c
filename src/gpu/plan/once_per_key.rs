//! A map whose values are made on demand, each once. Making one value does not block threads that want another.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The map's lock is held only while a key is looked up. A thread waits for a value that another thread is making, but
/// not if it wants another value.
#[derive(Debug)]
pub(crate) struct OncePerKey<K, V>(Mutex<HashMap<K, Arc<OnceLock<V>>>>);

impl<K, V> Default for OncePerKey<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> OncePerKey<K, V> {
    /// The key's value. The first call for a key makes it by `make`.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> V {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        slot.get_or_init(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_key_in_the_making_holds_up_no_other() {
        let map = &OncePerKey::default();
        map.get("cached", || 1);
        let (begun, has_begun) = channel();
        let (released, is_released) = channel();
        thread::scope(|scope| {
            let slow = scope.spawn(move || {
                map.get("slow", || {
                    begun.send(()).unwrap();
                    // Ends with an error, not a deadlock, if the other thread is held up.
                    is_released.recv_timeout(Duration::from_secs(20)).expect("the cached value was held up");
                    2
                })
            });
            has_begun.recv().unwrap();
            assert_eq!(map.get("cached", || unreachable!()), 1);
            assert_eq!(map.get("new", || 3), 3);
            released.send(()).unwrap();
            assert_eq!(slow.join().unwrap(), 2);
        });
    }

    #[test]
    fn each_value_is_made_once() {
        let (map, made) = (OncePerKey::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| map.get("key", || made.fetch_add(1, Ordering::Relaxed)));
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
