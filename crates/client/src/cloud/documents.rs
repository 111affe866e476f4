//! All documents of a query, page by page.

use std::collections::VecDeque;

use futures_util::stream::{self, Stream};
use serde::de::DeserializeOwned;
use tokenward_cloud::{Kind, Query};

use super::{CallError, Cloud};

/// How many documents are asked for at once. A page that is larger than the platform answers with, 1 MB, is asked for
/// in halves, and so are those
/// after it.
pub const PAGE: u32 = 100;

/// Where reading is.
struct Reading<T> {
    cloud: Cloud,
    query: Query,
    read: u32,
    size: u32,
    ready: VecDeque<T>,
    over: bool,
}

impl Cloud {
    /// All documents of a query, up to its limit if it has one. They come page by page, each page when it is needed.
    ///
    /// Without an order, and where an order leaves documents equal, they come by `_id`, so that no page repeats what
    /// another has. Pages are cut by their places: a document that is added or removed before the place that has been
    /// reached makes another one be left out or come twice. Order by `_id` alone, or by a field that only grows, if others
    /// write at the same time.
    pub fn documents<T: DeserializeOwned + Send + 'static>(
        &self,
        query: Query,
    ) -> impl Stream<Item = Result<T, CallError>> + Send + 'static + use<T> {
        let cloud = self.clone();
        let ready = VecDeque::new();
        let reading = Reading { cloud, query, read: 0, size: PAGE, ready, over: false };
        stream::try_unfold(reading, |mut reading| async move {
            let next = reading.next().await?;
            Ok(next.map(|document| (document, reading)))
        })
    }
}

impl<T: DeserializeOwned> Reading<T> {
    async fn next(&mut self) -> Result<Option<T>, CallError> {
        while self.ready.is_empty() && !self.over {
            self.read_page().await?;
        }
        Ok(self.ready.pop_front())
    }

    async fn read_page(&mut self) -> Result<(), CallError> {
        let Some(page) = self.query.page(self.read, self.size)? else {
            self.over = true;
            return Ok(());
        };
        match self.cloud.query(&page).await {
            Ok(page) => {
                // The platform may give less than was asked for: only an empty page is the end.
                self.over = page.documents.is_empty();
                self.read = self.read.saturating_add(u32::try_from(page.documents.len()).unwrap_or(u32::MAX));
                self.ready.extend(page.documents);
                Ok(())
            }
            Err(error) if error.kind() == Some(Kind::TooLarge) && self.size > 1 => {
                self.size /= 2;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
