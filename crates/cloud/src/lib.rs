//! WeChat's cloud development over HTTP, without the HTTP: statements, wire types, error codes, results.
//!
//! The platform takes a database statement as a text of JavaScript. Whoever glues such texts together lets
//! everybody who controls a value write statements. Here a statement is built from typed parts, every value is
//! escaped in one place (`script`), and what the platform would silently ignore or misread is refused:
//!
//! ```
//! use tokenward_cloud::{Order, collection, field};
//!
//! let statement = collection("orders")
//!     .filter(field("age").gt(3).and(field("title").eq("tea')||('")))
//!     .order_by("age", Order::Descending)
//!     .limit(20)
//!     .get()?;
//! assert_eq!(
//!     statement.text(),
//!     r#"db.collection("orders").where(_.and([{"age":_.gt(3)},{"title":_.eq("tea')||('")}])).orderBy("age","desc").limit(20).get()"#
//! );
//! # Ok::<(), tokenward_cloud::BuildError>(())
//! ```
//!
//! Pure: no IO, no clock. Statements that come as JSON from people who write no Rust are in [`structured`].
//! Deliberately absent: `db.ObjectId` and transactions, which the HTTP API does not have; text search and JSON schema
//! in filters, which are not documented for it.

mod aggregate;
mod build_error;
mod date;
mod error;
mod expr;
mod filter;
mod geo;
mod operator;
mod path;
mod query;
mod script;
mod statement;
mod update;
mod value;
mod value_serializer;

pub mod ejson;
pub mod structured;
pub mod wire;

pub use aggregate::{
    Bucket, BucketAuto, GeoNear, Lookup, LookupPipeline, Loose, Pipeline, Projection, Unwind, Within,
};
pub use build_error::BuildError;
pub use date::Date;
pub use ejson::{ReadError, document, documents};
pub use error::{CloudError, Kind};
pub use expr::Expr;
pub use filter::{Command, ElementCondition, Field, Filter, field};
pub use geo::{Geo, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
pub use query::{Collection, Document, Id, Query, collection};
pub use statement::{Add, Aggregate, Change, Count, Get, Remove, Statement};
pub use update::{Bit, Order, Pulled, PushOptions, PushSort, Update};
pub use value::{DEEPEST, GREATEST_INTEGER, Regex, ServerDate, Value, ValueError};
