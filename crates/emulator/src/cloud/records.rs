//! Documents in files: one JSON object a line, or a table whose first row has the names.

use std::io::BufRead as _;

use serde_json::{Value as Json, json};

use super::civil;
use super::value::{Document, Value};
use super::{CloudFailure, ejson};

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON Lines, as `mongoexport` writes them.
    Lines,
    /// CSV.
    Table,
}

/// A document, or what is wrong with it.
pub(crate) type Record = Result<Document, String>;

/// The most parts of a name.
const DEEPEST_PATH: usize = 100;

/// Reads the documents of a file, one after the other.
pub(crate) fn read(form: Form, file: &[u8]) -> Box<dyn Iterator<Item = Record> + '_> {
    // Programs on Windows like to begin with it.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    match form {
        Form::Lines => Box::new(lines(file)),
        Form::Table => Box::new(rows(file)),
    }
}

fn lines(file: &[u8]) -> impl Iterator<Item = Record> + '_ {
    let lines = file.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.as_ref().is_ok_and(|line| line.trim().is_empty()));
    lines.map(|(at, line)| {
        let at = at + 1;
        let line = line.map_err(|_| format!("line {at} is not UTF-8"))?;
        let json: Json = serde_json::from_str(&line).map_err(|error| format!("line {at}: {error}"))?;
        let value = ejson::read(&json);
        match value {
            Value::Object(fields) => nested(fields).map_err(|reason| format!("line {at}: {reason}")),
            _ => Err(format!("line {at} is no document")),
        }
    })
}

fn rows(file: &[u8]) -> impl Iterator<Item = Record> + '_ {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let names = reader.headers().cloned();
    reader.into_records().map(move |row| {
        let names = names.as_ref().map_err(|error| format!("the row of names: {error}"))?;
        let row = row.map_err(|error| error.to_string())?;
        // An empty cell is a field that is not there.
        let cells = names.iter().zip(row.iter()).filter(|(_, cell)| !cell.is_empty());
        nested(cells.map(|(name, cell)| (name.to_owned(), cell_value(cell))).collect())
    })
}

/// Numbers, truth values and JSON in cells are what they look like; everything else is text.
fn cell_value(cell: &str) -> Value {
    match serde_json::from_str::<Json>(cell) {
        Ok(Json::String(_)) | Err(_) => Value::String(cell.to_owned()),
        Ok(json) => ejson::read(&json),
    }
}

/// Names with dots are paths. Two ways to one place are ambiguous, and refused.
fn nested(fields: Document) -> Record {
    if let Some(reason) = fields.iter().find_map(|(_, value)| ejson::unreadable(value)) {
        return Err(reason);
    }
    let mut document = Document::new();
    for (name, value) in fields {
        if name.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
            return Err(format!("the name {:?} is no path", shortened(&name)));
        }
        if name.split('.').count() > DEEPEST_PATH {
            return Err(format!("the name {:?} has more than {DEEPEST_PATH} parts", shortened(&name)));
        }
        let (path, last) =
            name.rsplit_once('.').map_or((None, name.as_str()), |(path, last)| (Some(path), last));
        let mut place = &mut document;
        for part in path.into_iter().flat_map(|path| path.split('.')) {
            if place.get(part).is_none() {
                place.set(part, Value::Object(Document::new()));
            }
            place = match place.get_mut(part) {
                Some(Value::Object(inner)) => inner,
                _ => return Err(format!("the name {name:?} contradicts another one")),
            };
        }
        if place.get(last).is_some() {
            return Err(format!("the name {name:?} contradicts another one"));
        }
        place.set(last, value);
    }
    Ok(document)
}

/// Enough of a name to know it by.
fn shortened(name: &str) -> String {
    name.chars().take(60).collect()
}

/// The file of documents: a table if there are columns.
pub(crate) fn write(columns: Option<&[String]>, documents: Vec<Document>) -> Result<Vec<u8>, CloudFailure> {
    let Some(columns) = columns else {
        let lines = documents.into_iter().map(|it| exported(&Value::Object(it)).to_string() + "\n");
        return Ok(lines.collect::<String>().into_bytes());
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |_| CloudFailure::system_error();
    writer.write_record(columns).map_err(failed)?;
    for document in documents {
        let cells = columns.iter().map(|path| at(&document, path).map_or_else(String::new, cell_text));
        writer.write_record(cells).map_err(failed)?;
    }
    writer.into_inner().map_err(|_| CloudFailure::system_error())
}

fn at<'d>(document: &'d Document, path: &str) -> Option<&'d Value> {
    let mut parts = path.split('.');
    let first = document.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_object()?.get(part))
}

fn cell_text(value: &Value) -> String {
    match exported(value) {
        Json::String(text) => text,
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// As `mongoexport` writes values: dates in ISO 8601, numbers as they are.
fn exported(value: &Value) -> Json {
    match value {
        Value::Date(millis) => match civil::at(*millis) {
            Some(date) => json!({ "$date": format!("{date:.3}Z") }),
            None => ejson::plain(value),
        },
        Value::Array(items) => Json::Array(items.iter().map(exported).collect()),
        Value::Object(document) => {
            Json::Object(document.iter().map(|(name, value)| (name.to_owned(), exported(value))).collect())
        }
        other => ejson::plain(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(form: Form, file: &str) -> Result<String, String> {
        read(form, file.as_bytes()).next().unwrap().map(|it| exported(&Value::Object(it)).to_string())
    }

    #[test]
    fn lines_are_documents() {
        let file = "\u{feff}{\"a\":1,\"at\":{\"$date\":\"2018-08-31T17:30:00.882Z\"}}\n\n{\"b\":2}\n";
        assert_eq!(read(Form::Lines, file.as_bytes()).filter(Result::is_ok).count(), 2);
        assert_eq!(
            first(Form::Lines, file).unwrap(),
            file.lines().next().unwrap().trim_start_matches('\u{feff}')
        );
    }

    #[test]
    fn a_date_that_is_none_is_refused_in_lines_and_in_tables() {
        let line = first(Form::Lines, r#"{"a":[{"$date":true}]}"#).unwrap_err();
        assert!(line.starts_with("line 1: true is no date"), "{line}");
        let cell = first(Form::Table, "a\n\"{\"\"$oid\"\":\"\"x\"\"}\"\n").unwrap_err();
        assert!(cell.contains("\"x\" is no $oid"), "{cell}");
    }

    #[test]
    fn names_with_dots_are_paths() {
        assert_eq!(first(Form::Lines, r#"{"a.b":1,"a.c":2}"#).unwrap(), r#"{"a":{"b":1,"c":2}}"#);
        for wrong in [
            r#"{"a":{"b":1},"a.b":2}"#,
            r#"{"a":1,"a.b":2}"#,
            r#"{".a":1}"#,
            r#"{"a..b":1}"#,
            r#"{"u.$numberInt":"1"}"#,
        ] {
            assert!(first(Form::Lines, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_does_not_go_too_deep() {
        let deep = format!("{{\"{}\":1}}", vec!["a"; 100_000].join("."));
        assert!(first(Form::Lines, &deep).unwrap_err().contains("more than 100 parts"));
    }

    #[test]
    fn a_broken_line_says_which() {
        let broken: Vec<Record> = read(Form::Lines, b"{}\n{\n").collect();
        assert!(broken[1].as_ref().unwrap_err().starts_with("line 2"));
    }

    #[test]
    fn a_table_has_types() {
        let file = "_id,n,ok,note,deep.x,list\nx,1.5,true,\"a, b\",,\"[1,2]\"\n";
        assert_eq!(
            first(Form::Table, file).unwrap(),
            r#"{"_id":"x","n":1.5,"ok":true,"note":"a, b","list":[1,2]}"#
        );
    }

    #[test]
    fn a_table_comes_back() {
        let file = "_id,n,deep.x\nx,1.5,\"with \"\"quotes\"\"\"\n";
        let documents: Vec<Document> = read(Form::Table, file.as_bytes()).map(Result::unwrap).collect();
        let columns = ["_id", "n", "deep.x"].map(str::to_owned);
        assert_eq!(String::from_utf8(write(Some(&columns), documents).unwrap()).unwrap(), file);
    }
}
