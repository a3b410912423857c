//! One thread that makes a device finish its work, for all callers that wait for it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use crate::error::Error;

/// What is called if the device cannot finish.
type Failed = Box<dyn FnOnce(Error) + Send>;

/// A thread that waits for the device on request. It ends when the `Poller` is dropped.
#[derive(Debug)]
pub(crate) struct Poller {
    /// `None` if the system gave no thread.
    requests: Option<Sender<Failed>>,
}

impl Poller {
    /// Starts the thread. `finish` returns when all that was submitted before is done, or says why it will not be.
    pub(crate) fn new(finish: impl Fn() -> Result<(), String> + Send + 'static) -> Self {
        let (requests, received) = channel();
        let thread = Builder::new().name("upconv-poller".into()).spawn(move || run(&finish, &received));
        Self { requests: thread.is_ok().then_some(requests) }
    }

    /// Makes the device finish what was submitted before; `failed` is called if it cannot, and only then.
    pub(crate) fn wait(&self, failed: impl FnOnce(Error) + Send + 'static) {
        match &self.requests {
            // The thread ends only after the sender is dropped.
            Some(requests) => drop(requests.send(Box::new(failed))),
            None => failed(Error::Device("the system gave no thread to wait for the device".into())),
        }
    }
}

fn run(finish: &impl Fn() -> Result<(), String>, received: &Receiver<Failed>) {
    while let Ok(first) = received.recv() {
        // One wait serves all requests that came before it.
        let waiting: Vec<Failed> = std::iter::once(first).chain(received.try_iter()).collect();
        if let Err(error) = finish() {
            waiting.into_iter().for_each(|failed| failed(Error::Device(error.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;

    #[test]
    fn one_thread_serves_all_and_says_what_failed() {
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let seen = threads.clone();
        let poller = Poller::new(move || {
            let id = thread::current().id();
            seen.lock().unwrap().insert((id, thread::current().name().map(String::from)));
            Err("the device is on fire".into())
        });
        let (sender, errors) = channel();
        for _ in 0..50 {
            let sender = sender.clone();
            poller.wait(move |error| sender.send(error).unwrap());
        }
        drop((poller, sender));
        let errors: Vec<Error> = errors.iter().collect();
        assert_eq!(errors, vec![Error::Device("the device is on fire".into()); 50]);
        let threads = threads.lock().unwrap();
        assert_eq!(threads.iter().map(|(_, name)| name.as_deref()).collect::<Vec<_>>(), [Some("upconv-poller")]);
    }

    #[test]
    fn nobody_hears_of_success() {
        let (sender, errors) = channel();
        Poller::new(|| Ok(())).wait(move |error| sender.send(error).unwrap());
        assert_eq!(errors.iter().count(), 0);
    }
}
