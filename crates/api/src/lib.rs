//! The wire types, error codes and paths of the HTTP API.
