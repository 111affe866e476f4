//! A progress bar on standard error: only on a terminal, and only where there is something to wait for.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far something is. Cheap to clone; all clones are the same bar.
#[derive(Clone)]
pub struct Bar(ProgressBar);

const BYTES: &str = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const DOCUMENTS: &str = "{spinner} {pos} documents, {msg} {elapsed}";

impl Bar {
    /// A bar for so many bytes; more may be expected later.
    pub fn of_bytes(total: u64) -> Bar {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        Bar(bar.with_style(style(BYTES)))
    }

    /// A bar for documents whose number nobody knows.
    pub fn of_documents() -> Bar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Bar(bar.with_style(style(DOCUMENTS)))
    }

    /// So many bytes more will come.
    pub fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    /// For one of several that move the bar together: hears how much of it has passed in all.
    pub fn part(&self) -> impl FnMut(u64) + Send + 'static {
        let (bar, mut before) = (self.0.clone(), 0_u64);
        move |passed| {
            bar.inc(passed.saturating_sub(before));
            before = passed;
        }
    }

    /// So many documents, and what the platform says.
    pub fn stands_at(&self, documents: u64, status: &str) {
        self.0.set_position(documents);
        self.0.set_message(status.chars().filter(|c| !c.is_control()).collect::<String>());
    }

    /// It goes away, and leaves the terminal to the result.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
