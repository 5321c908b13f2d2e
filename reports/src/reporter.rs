//! Hands the one stream of events to everyone who listens.

use std::io;

use crate::model::Event;

/// Somebody who listens to a run: the console, the event log.
pub trait Consumer: Send {
    /// Who this is, for messages about it: `the event log /tmp/events`.
    fn name(&self) -> String;

    /// Takes one event.
    ///
    /// # Errors
    /// Whatever its output said. The consumer gets no more events after an error.
    fn take(&mut self, event: &Event) -> io::Result<()>;
}

/// Hands each event to every consumer in turn.
///
/// A consumer that fails (a closed pipe, a full disk) is dropped and the run goes on: what a run
/// finds out does not depend on who listens.
#[derive(Default)]
pub struct Reporter {
    consumers: Vec<Box<dyn Consumer>>,
    lost: Vec<String>,
}

impl Reporter {
    /// A reporter nobody listens to yet.
    pub fn new() -> Reporter {
        Reporter::default()
    }

    /// Adds a listener.
    pub fn with(mut self, consumer: impl Consumer + 'static) -> Reporter {
        self.consumers.push(Box::new(consumer));
        self
    }

    /// Hands on one event.
    pub fn event(&mut self, event: &Event) {
        let lost = &mut self.lost;
        self.consumers
            .retain_mut(|consumer| match consumer.take(event) {
                Ok(()) => true,
                Err(error) => {
                    lost.push(format!("{} was lost: {error}", consumer.name()));
                    false
                }
            });
    }

    /// One sentence for each consumer that was dropped.
    pub fn lost(&self) -> &[String] {
        &self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(usize);

    impl Consumer for Fails {
        fn name(&self) -> String {
            "the test".into()
        }

        fn take(&mut self, _: &Event) -> io::Result<()> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(())
        }
    }

    #[test]
    fn a_lost_listener_does_not_stop_the_others() {
        let mut reporter = Reporter::new().with(Fails(1)).with(Fails(3));
        for _ in 0..3 {
            reporter.event(&Event::Note { text: "x".into() });
        }
        assert_eq!(reporter.lost(), ["the test was lost: broken pipe"]);
        assert_eq!(reporter.consumers.len(), 1);
    }
}
