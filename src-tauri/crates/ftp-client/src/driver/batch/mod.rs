//! Many files, in as few round trips as the server puts up with.

mod alone;
mod conduct;
mod data;
mod then;

use ftp_net::Pace;
use tokio::sync::mpsc;

pub(crate) use alone::size_of;
pub(crate) use then::{set_mode, set_time, without_the_form};

use super::Driver;
use crate::{BatchOptions, Error, FetchFile, Fetched, StoreFile, Stored};

/// Where the outcomes of files go, each with the file's place.
type Outcomes<T> = mpsc::UnboundedSender<(usize, Result<T, Error>)>;

impl Driver {
    pub(crate) async fn fetch_many(
        &mut self,
        files: Vec<FetchFile>,
        options: BatchOptions,
        outcomes: Outcomes<Fetched>,
    ) -> Result<(), Error> {
        let mut pace = Pace::new(options.throttles.clone());
        for (index, file) in files.iter().enumerate() {
            if outcomes.is_closed() {
                break;
            }
            let outcome = self.fetch_alone(file, &options, &mut pace).await;
            self.report(index, outcome, &outcomes)?;
        }
        Ok(())
    }

    pub(crate) async fn store_many(
        &mut self,
        files: Vec<StoreFile>,
        options: BatchOptions,
        outcomes: Outcomes<Stored>,
    ) -> Result<(), Error> {
        let mut pace = Pace::new(options.throttles.clone());
        for (index, file) in files.into_iter().enumerate() {
            if outcomes.is_closed() {
                break;
            }
            let outcome = self.store_alone(&file, &options, &mut pace).await;
            self.report(index, outcome, &outcomes)?;
        }
        Ok(())
    }

    /// Hands an outcome over, unless it is the end of the connection: then the file's fate is unknown.
    fn report<T>(
        &self,
        index: usize,
        outcome: Result<T, Error>,
        outcomes: &Outcomes<T>,
    ) -> Result<(), Error> {
        if let (Err(error), Some(_)) = (&outcome, self.control.dead()) {
            return Err(error.clone());
        }
        // Nobody listens any more: the loop sees that.
        let _ = outcomes.send((index, outcome));
        Ok(())
    }
}
