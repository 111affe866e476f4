//! Client of a Tokenward server: get, watch and report tokens.
