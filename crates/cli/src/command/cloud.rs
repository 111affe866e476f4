//! `tokenward cloud`: the cloud database and functions of a WeChat app, from the shell.
//!
//! Documents come as JSON Lines; on a terminal as a table. Statements are built by the server from the flags, or sent
//! as the text that somebody wrote.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, TableStyle};
use serde_json::{Map, Value, json};
use tokenward_client::Client;

use crate::failure::Failure;
use crate::output;

/// Whose cloud, and what to do there.
#[derive(Debug, Args)]
pub struct Cloud {
    /// The credential of the app
    #[arg(long, value_name = "NAME")]
    credential: String,
    /// The environment
    #[arg(long, value_name = "ENV")]
    env: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Functions
    #[command(subcommand)]
    Fn(Function),
    /// The database
    #[command(subcommand)]
    Db(Database),
}

#[derive(Debug, Subcommand)]
enum Function {
    /// Call a function and print what it returns
    Invoke {
        /// Its name
        name: String,
        /// The event: JSON, or @FILE
        #[arg(long, value_name = "JSON", default_value = "{}")]
        data: String,
    },
}

#[derive(Debug, Subcommand)]
enum Database {
    /// Read documents
    Query {
        /// A statement as text, like db.collection('orders').get()
        text: Option<String>,
        #[command(flatten)]
        selection: Selection,
        /// A field and its direction, like age:desc; may be repeated
        #[arg(long, value_name = "FIELD:asc|desc")]
        order: Vec<String>,
        /// How many to leave out
        #[arg(long, value_name = "N")]
        skip: Option<u32>,
        /// How many at most; the platform returns 10 unless told otherwise
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// A field to return; may be repeated
        #[arg(long, value_name = "FIELD")]
        field: Vec<String>,
    },
    /// Add documents
    Add {
        /// A statement as text
        text: Option<String>,
        /// The collection
        #[arg(long, value_name = "NAME")]
        collection: Option<String>,
        /// A document or a list of documents: JSON, or @FILE
        #[arg(long, value_name = "JSON")]
        data: Option<String>,
    },
    /// Change documents
    Update {
        /// A statement as text
        text: Option<String>,
        #[command(flatten)]
        selection: Selection,
        /// What to change, like {"$set":{"a":1},"$inc":{"n":1}}: JSON, or @FILE
        #[arg(long, value_name = "JSON")]
        update: Option<String>,
    },
    /// Replace a document, or add it
    Set {
        /// A statement as text
        text: Option<String>,
        #[command(flatten)]
        selection: Selection,
        /// The document: JSON, or @FILE
        #[arg(long, value_name = "JSON")]
        data: Option<String>,
    },
    /// Remove documents
    Remove {
        /// A statement as text
        text: Option<String>,
        #[command(flatten)]
        selection: Selection,
    },
    /// Count documents
    Count {
        /// A statement as text
        text: Option<String>,
        #[command(flatten)]
        selection: Selection,
    },
    /// Run a pipeline
    Aggregate {
        /// A statement as text
        text: Option<String>,
        /// The collection
        #[arg(long, value_name = "NAME")]
        collection: Option<String>,
        /// The stages, like [{"$match":{"a":1}}]: JSON, or @FILE
        #[arg(long, value_name = "JSON")]
        stages: Option<String>,
    },
}

/// Which documents.
#[derive(Debug, Args)]
struct Selection {
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
    /// One document by its id
    #[arg(long, value_name = "ID")]
    doc: Option<String>,
    /// A condition, like {"age":{"$gt":3}}: JSON, or @FILE
    #[arg(long = "where", value_name = "JSON")]
    filter: Option<String>,
    /// Every document of the collection: needed to change or remove without a condition
    #[arg(long)]
    every_document: bool,
}

/// A statement as it is sent.
enum Statement {
    Text(String),
    Built(Map<String, Value>),
}

/// Does it, and prints what came of it.
pub async fn run(client: &Client, cloud: Cloud, as_json: bool) -> Result<(), Failure> {
    let (credential, env) = (&cloud.credential, &cloud.env);
    match cloud.what {
        What::Fn(Function::Invoke { name, data }) => {
            let returned = client.invoke(credential, env, &name, &read_json(&data)?).await?;
            output::json(&returned);
        }
        What::Db(database) => {
            let (operation, statement) = database.statement()?;
            let answer = match statement {
                Statement::Text(text) => client.cloud_text(credential, env, operation, &text).await?,
                Statement::Built(built) => client.cloud_statement(credential, env, operation, &built).await?,
            };
            show(&answer, as_json);
        }
    }
    Ok(())
}

impl Database {
    fn statement(self) -> Result<(&'static str, Statement), Failure> {
        Ok(match self {
            Database::Query { text, selection, order, skip, limit, field } => {
                let mut built = selection.fields(false)?;
                let order = order.iter().map(|order| {
                    let (path, direction) = order.rsplit_once(':').unwrap_or((order, "asc"));
                    json!([path, direction])
                });
                built.insert("order".to_owned(), order.collect());
                built.extend(skip.map(|skip| ("skip".to_owned(), skip.into())));
                built.extend(limit.map(|limit| ("limit".to_owned(), limit.into())));
                if !field.is_empty() {
                    let field: Map<String, Value> =
                        field.into_iter().map(|name| (name, true.into())).collect();
                    built.insert("field".to_owned(), field.into());
                }
                ("query", either(text, built)?)
            }
            Database::Add { text, collection, data } => {
                let documents = match data.as_deref().map(read_json).transpose()? {
                    Some(Value::Array(documents)) => documents,
                    Some(document) => vec![document],
                    None => Vec::new(),
                };
                ("add", either(text, with(collection, "data", documents.into()))?)
            }
            Database::Update { text, selection, update } => {
                let mut built = selection.fields(true)?;
                let update = update.as_deref().map(read_json).transpose()?;
                built.insert("update".to_owned(), update.unwrap_or_else(|| json!({})));
                ("update", either(text, built)?)
            }
            Database::Set { text, selection, data } => {
                let mut built = selection.fields(false)?;
                let data = data.as_deref().map(read_json).transpose()?;
                built.insert("data".to_owned(), data.unwrap_or_else(|| json!({})));
                ("set", either(text, built)?)
            }
            Database::Remove { text, selection } => ("delete", either(text, selection.fields(true)?)?),
            Database::Count { text, selection } => ("count", either(text, selection.fields(false)?)?),
            Database::Aggregate { text, collection, stages } => {
                let stages = stages.as_deref().map(read_json).transpose()?;
                let stages = stages.unwrap_or_else(|| json!([]));
                ("aggregate", either(text, with(collection, "stages", stages))?)
            }
        })
    }
}

impl Selection {
    fn fields(self, changes: bool) -> Result<Map<String, Value>, Failure> {
        let mut fields = Map::new();
        fields.extend(self.collection.map(|name| ("collection".to_owned(), name.into())));
        fields.extend(self.doc.map(|id| ("doc".to_owned(), id.into())));
        if let Some(filter) = self.filter {
            fields.insert("where".to_owned(), read_json(&filter)?);
        }
        if changes && self.every_document {
            fields.insert("every_document".to_owned(), true.into());
        }
        Ok(fields)
    }
}

fn with(collection: Option<String>, name: &str, value: Value) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.extend(collection.map(|collection| ("collection".to_owned(), collection.into())));
    fields.insert(name.to_owned(), value);
    fields
}

/// A text, or what the flags say; not both.
fn either(text: Option<String>, built: Map<String, Value>) -> Result<Statement, Failure> {
    match (text, built.contains_key("collection")) {
        (Some(text), false) => Ok(Statement::Text(text)),
        (None, true) => Ok(Statement::Built(built)),
        (Some(_), true) => Err(Failure::failed(
            "there is a statement as text, and one from flags",
            "Give either the text or --collection and its flags.",
        )),
        (None, false) => Err(Failure::failed(
            "there is no statement",
            "Give a text like \"db.collection('orders').get()\", or --collection and its flags.",
        )),
    }
}

/// JSON from the command line, or from a file behind `@`.
fn read_json(text: &str) -> Result<Value, Failure> {
    let (source, text) = match text.strip_prefix('@') {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            let text = read.map_err(|error| {
                Failure::failed(format!("cannot read {file}: {error}"), "Check the path behind the @.")
            })?;
            (file, text)
        }
        None => ("the argument", text.to_owned()),
    };
    serde_json::from_str(&text).map_err(|error| {
        Failure::failed(
            format!("{source} is not JSON: {error}"),
            "Quote it for the shell: --where '{\"age\":{\"$gt\":3}}'.",
        )
    })
}

fn show(answer: &Value, as_json: bool) {
    let Some(documents) = answer.get("documents").and_then(Value::as_array) else {
        output::json(answer);
        return;
    };
    if as_json || !std::io::stdout().is_terminal() {
        for document in documents {
            output::text(&document.to_string());
        }
        return;
    }
    output::text(&table(documents).trim_fmt());
    if let Some(total) = answer.get("total") {
        output::remark(&format!("{} of {total}", documents.len()));
    }
}

/// One column for each field of the first documents.
fn table(documents: &[Value]) -> Table {
    let mut columns: Vec<&String> = Vec::new();
    for document in documents.iter().filter_map(Value::as_object) {
        columns.extend(document.keys().filter(|name| !columns.contains(name)).collect::<Vec<_>>());
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|name| name.as_str()));
    for document in documents {
        let cells = columns.iter().map(|name| match document.get(name.as_str()) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        });
        table.add_row(cells);
    }
    table
}
