//! Prometheus metrics. What a credential's snapshot tells is read from it when metrics are asked for.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokenward_core::time::{Boot, Span};

use crate::clock;
use crate::feed::{CallCounts, Entry, Feed};
use crate::sinks::Standing;

/// The process's own counters.
#[derive(Debug)]
pub struct Metrics {
    lateness: Histogram,
    /// Requests by what they were answered with.
    pub http: HttpCounts,
}

/// Requests by the class of their status.
#[derive(Debug, Default)]
pub struct HttpCounts {
    classes: [AtomicU64; 5],
}

impl HttpCounts {
    /// Counts one answer.
    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.classes.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let bounds = [0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0, 3600.0];
        Metrics { lateness: Histogram::new(bounds), http: HttpCounts::default() }
    }

    pub(super) fn observe_lateness(&self, late: Span) {
        self.lateness.observe(late.0 as f64 / 1000.0);
    }

    /// The metrics in the text format, of the credentials that are to be shown, and what others counted.
    #[must_use]
    pub fn render(&self, feed: &Feed, shown: impl Fn(&Entry) -> bool, others: &str) -> String {
        let mut registry = Registry::with_prefix("tokenward");
        let entries = feed.iter().filter(|entry| shown(entry)).map(Arc::clone).collect();
        registry.register_collector(Box::new(Credentials(entries)));
        let help = "How long after its planned time a refresh was begun, in seconds";
        registry.register("refresh_lateness_seconds", help, self.lateness.clone());
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        let end = text.trim_end().trim_end_matches("# EOF").len();
        text.truncate(end);
        self.render_http(&mut text);
        text.push_str(others);
        text.push_str("# EOF\n");
        text
    }

    fn render_http(&self, text: &mut String) {
        text.push_str("# HELP tokenward_http_requests HTTP requests by the class of their status.\n");
        text.push_str("# TYPE tokenward_http_requests counter\n");
        for (class, counter) in (1..).zip(&self.http.classes) {
            let count = counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "tokenward_http_requests_total{{status=\"{class}xx\"}} {count}");
        }
    }
}

/// An outcome's label and where it is counted.
type Outcome<'a> = (&'a str, fn(&Entry) -> &AtomicU64);

/// The name and the meaning of what is counted at sinks, and where.
type SinkCounter<'a> = (&'a str, &'a str, fn(&Standing) -> &AtomicU64);

#[derive(Debug)]
struct Credentials(Vec<Arc<Entry>>);

impl Collector for Credentials {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let now = clock::boot();
        self.gauge(
            &mut encoder,
            "token_expiry_seconds",
            "Seconds until the true end of the current token",
            |entry| entry.view().offer.as_ref().map(|offer| (offer.end - now).whole_seconds()),
        )?;
        self.gauge(&mut encoder, "budget_remaining", "Fetches left of the platform's day", |entry| {
            entry.view().budget_remaining.map(i64::from)
        })?;
        self.states(&mut encoder)?;
        self.counter(&mut encoder, "reads", "Tokens handed out", &[("", |entry| &entry.counts.reads)])?;
        let foreign = "Deaths of a token long before its end without our doing";
        self.counter(&mut encoder, "foreign_refresh", foreign, &[("", |entry| &entry.counts.foreign)])?;
        let outcomes: [Outcome<'_>; 4] = [
            ("rotated", |entry| &entry.counts.rotated),
            ("unchanged", |entry| &entry.counts.unchanged),
            ("failed", |entry| &entry.counts.failed),
            ("ambiguous", |entry| &entry.counts.ambiguous),
        ];
        self.counter(&mut encoder, "refresh", "Fetches by their outcome", &outcomes)?;
        let kept_back = "Refusals that persisted after refresh and replay, and that a facade kept back";
        self.counter(&mut encoder, "gateway_kept_back", kept_back, &[("", |entry| &entry.counts.kept_back)])?;
        self.calls(&mut encoder, "gateway_calls", "Calls through gateway and facade", |counts| {
            &counts.calls
        })?;
        let refused = "Calls whose token the platform refused";
        self.calls(&mut encoder, "gateway_refused", refused, |counts| &counts.refused)?;
        let replayed = "Calls that were made a second time, with the token that took its place";
        self.calls(&mut encoder, "gateway_replayed", replayed, |counts| &counts.replayed)?;
        self.sinks(&mut encoder, now)
    }
}

impl Credentials {
    fn gauge(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&Entry) -> Option<i64>,
    ) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(0_i64);
        let mut metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
        for entry in self.0.iter() {
            if let Some(value) = value(entry) {
                let labels = [("credential", entry.name.as_str())];
                one(&mut metric, &labels, &ConstGauge::new(value))?;
            }
        }
        Ok(())
    }

    /// A counter for each credential and caller.
    fn calls(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        counter: fn(&CallCounts) -> &AtomicU64,
    ) -> Result<(), std::fmt::Error> {
        let mut metric =
            encoder.encode_descriptor(name, help, None, ConstCounter::new(0_u64).metric_type())?;
        for entry in self.0.iter() {
            for counts in entry.all_calls().iter() {
                let labels = [("credential", entry.name.as_str()), ("client", &*counts.caller)];
                one(&mut metric, &labels, &ConstCounter::new(counter(counts).load(Ordering::Relaxed)))?;
            }
        }
        Ok(())
    }

    /// What waits at sinks, and what was delivered.
    fn sinks(&self, encoder: &mut DescriptorEncoder<'_>, now: Boot) -> Result<(), std::fmt::Error> {
        let labels = |entry: &Entry, sink: &Standing| {
            [("credential", entry.name.as_str().to_owned()), ("sink", sink.name.as_str().to_owned())]
        };
        let gauge = ConstGauge::new(0_i64).metric_type();
        let help = "For how long a token has been waiting to be delivered to a sink";
        let mut metric = encoder.encode_descriptor("sink_lag_seconds", help, None, gauge)?;
        for (entry, sink) in self.each_sink() {
            let lag = ConstGauge::new(sink.lag(now).0 as f64 / 1000.0);
            lag.encode(metric.encode_family(&labels(entry, sink))?)?;
        }
        let counters: [SinkCounter<'_>; 3] = [
            ("sink_deliveries", "Deliveries to a sink that succeeded", |sink| &sink.delivered),
            ("sink_failures", "Deliveries to a sink that failed", |sink| &sink.failed),
            ("sink_losses", "How often somebody else removed or overwrote what a sink held", |sink| {
                &sink.lost
            }),
        ];
        for (name, help, counter) in counters {
            let kind = ConstCounter::new(0_u64).metric_type();
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            for (entry, sink) in self.each_sink() {
                let count = ConstCounter::new(counter(sink).load(Ordering::Relaxed));
                count.encode(metric.encode_family(&labels(entry, sink))?)?;
            }
        }
        Ok(())
    }

    fn each_sink(&self) -> impl Iterator<Item = (&Entry, &Standing)> {
        self.0.iter().flat_map(|entry| entry.sinks.iter().map(move |sink| (&**entry, &**sink)))
    }

    fn states(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(1_i64);
        let help = "1 for the state the credential is in";
        let mut metric = encoder.encode_descriptor("credential_state", help, None, gauge.metric_type())?;
        for entry in self.0.iter() {
            let state = entry.view().state.as_str();
            let labels =
                [("credential", entry.name.as_str()), ("platform", entry.platform), ("state", state)];
            one(&mut metric, &labels, &gauge)?;
        }
        Ok(())
    }

    fn counter(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        outcomes: &[Outcome<'_>],
    ) -> Result<(), std::fmt::Error> {
        let mut metric =
            encoder.encode_descriptor(name, help, None, ConstCounter::new(0_u64).metric_type())?;
        for entry in self.0.iter() {
            for (outcome, counter) in outcomes {
                let counter = ConstCounter::new(counter(entry).load(Ordering::Relaxed));
                let credential = ("credential", entry.name.as_str());
                if outcome.is_empty() {
                    one(&mut metric, &[credential], &counter)?;
                } else {
                    one(&mut metric, &[credential, ("outcome", outcome)], &counter)?;
                }
            }
        }
        Ok(())
    }
}

fn one<const N: usize>(
    metric: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    value: &impl EncodeMetric,
) -> Result<(), std::fmt::Error> {
    value.encode(metric.encode_family(labels)?)
}
