//! The token control server: configuration, driver, HTTP.
