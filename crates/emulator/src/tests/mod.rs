//! The rules of the platforms, one test each, on the machine without sockets; and the faults, over sockets.

mod baidu;
mod business;
mod classic;
mod clearing;
mod control;
mod fault_narrowing;
mod faults;
mod kit;
mod login;
mod oauth2;
mod push;
mod refusals;
mod robustness;
mod settings;
mod sockets;
mod stable;
mod statistics;
mod storage;
mod tickets;
