//! Token platforms as documented, run locally, with faults on demand.
