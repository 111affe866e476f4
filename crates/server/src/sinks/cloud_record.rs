//! What stands in a record of the cloud database: the shapes that mini programs and functions read, as statements.
//!
//! Every statement comes from the safe builder of the crate `cloud`: no value is ever part of a statement's text.

use serde_json::Value;
use tokenward_cloud::{Add, BuildError, Change, Get, Query, Update, collection, field};
use tokenward_core::name::Name;
use tokenward_core::secret::Secret;
use tokenward_core::time::Wall;

use super::delivery::{Delivery, Subject};
use super::template::Template;

/// A record of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CloudRecord {
    /// The collection.
    pub(crate) collection: String,
    pub(crate) shape: Shape,
}

/// Which record it is, and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `value` is the token, in the record whose `config_name` is this, or whose id is.
    SetConfig { config_name: String, id: Option<String> },
    /// `value` is the token and `_updateTime` says since when, as text in China's time. The record has nothing else.
    CloudToken { id: String },
    /// These fields; others of the record stay.
    Fields { id: String, fields: Vec<(String, Template)> },
}

/// The fields that are written, in their order.
pub(crate) type Fields = Vec<(String, Value)>;

/// How a record is made that is not there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The platform gives it an id.
    Add(Add),
    /// It has one.
    Set(Change),
}

/// How many records of one name are looked at.
const MOST: u32 = 10;

impl CloudRecord {
    /// What a delivery writes.
    pub(crate) fn fields(&self, subject: &Subject, delivery: &Delivery) -> Fields {
        let token = || Value::from(delivery.token.expose());
        match &self.shape {
            Shape::SetConfig { .. } => vec![("value".to_owned(), token())],
            Shape::CloudToken { .. } => vec![
                ("value".to_owned(), token()),
                ("_updateTime".to_owned(), Value::from(in_china(delivery.issued))),
            ],
            Shape::Fields { fields, .. } => fields
                .iter()
                .map(|(name, template)| (name.clone(), filled(template, subject, delivery)))
                .collect(),
        }
    }

    /// Writes fields into a record. One that is written whole is made if it is not there.
    pub(crate) fn write(&self, fields: &Fields) -> Result<Change, BuildError> {
        let collection = collection(self.collection.as_str());
        match &self.shape {
            Shape::SetConfig { config_name, id: None } => {
                collection.filter(field("config_name").eq(config_name.as_str())).update(update(fields)?)
            }
            Shape::SetConfig { id: Some(id), .. } | Shape::Fields { id, .. } => {
                collection.doc(id.as_str()).update(update(fields)?)
            }
            Shape::CloudToken { id } => collection.doc(id.as_str()).set(&document(fields)),
        }
    }

    /// Makes the record, if [`write`](Self::write) does not.
    pub(crate) fn create(&self, fields: &Fields) -> Result<Option<Creation>, BuildError> {
        let collection = collection(self.collection.as_str());
        let named = |config_name: &String| {
            let mut whole = vec![("config_name".to_owned(), Value::from(config_name.as_str()))];
            whole.extend(fields.iter().cloned());
            document(&whole)
        };
        Ok(match &self.shape {
            Shape::SetConfig { config_name, id: None } => {
                Some(Creation::Add(collection.add(&[named(config_name)])?))
            }
            Shape::SetConfig { config_name, id: Some(id) } => {
                Some(Creation::Set(collection.doc(id.as_str()).set(&named(config_name))?))
            }
            Shape::Fields { id, .. } => {
                Some(Creation::Set(collection.doc(id.as_str()).set(&document(fields))?))
            }
            Shape::CloudToken { .. } => None,
        })
    }

    /// Reads the record, or all of that name.
    pub(crate) fn read(&self) -> Result<Get, BuildError> {
        let collection = collection(self.collection.as_str());
        let query: Query = match &self.shape {
            Shape::SetConfig { config_name, id: None } => {
                collection.filter(field("config_name").eq(config_name.as_str()))
            }
            Shape::SetConfig { id: Some(id), .. } | Shape::CloudToken { id } | Shape::Fields { id, .. } => {
                collection.filter(field("_id").eq(id.as_str()))
            }
        };
        query.limit(MOST).get()
    }

    /// What is wrong with it, before there is a token.
    ///
    /// # Errors
    /// A statement cannot be built: a name of a field is none, a text is empty.
    pub(crate) fn check(&self, name: &Name) -> Result<(), BuildError> {
        let subject = Subject { credential: name.clone(), app_id: "id".to_owned(), sdk_secret: None };
        let sample = Delivery {
            token: Secret::new("token"),
            generation: 1,
            issued: Wall(0),
            told_end: Wall(7_200_000),
            now: Wall(0),
        };
        let fields = self.fields(&subject, &sample);
        self.write(&fields)?;
        self.create(&fields)?;
        self.read().map(|_| ())
    }

    /// The token that stands in a document, where it stands alone or between words that are always the same.
    pub(crate) fn token(&self, document: &Value, subject: &Subject) -> Option<Secret> {
        let text = |name: &str| document.get(name)?.as_str();
        match &self.shape {
            Shape::SetConfig { .. } | Shape::CloudToken { .. } => text("value").map(Secret::new),
            Shape::Fields { fields, .. } => fields
                .iter()
                .find_map(|(name, template)| template.bare_token(text(name)?, subject))
                .map(Secret::new),
        }
    }

    /// Which record of the collection it is, as a person would say it.
    pub(crate) fn name(&self) -> String {
        match &self.shape {
            Shape::SetConfig { config_name, id: None } => format!("config_name {config_name:?}"),
            Shape::SetConfig { id: Some(id), .. } | Shape::CloudToken { id } | Shape::Fields { id, .. } => {
                format!("id {id:?}")
            }
        }
    }
}

/// Whether a document has these fields. The platform may write a number another way than it was given.
pub(crate) fn has(document: &Value, fields: &Fields) -> bool {
    fields.iter().all(|(name, wanted)| match (document.get(name), wanted) {
        (Some(Value::Number(found)), Value::Number(wanted)) => found.as_f64() == wanted.as_f64(),
        (found, wanted) => found == Some(wanted),
    })
}

fn update(fields: &Fields) -> Result<Update, BuildError> {
    let mut update = Update::new();
    for (name, value) in fields {
        update = update.set(name.as_str(), tokenward_cloud::Value::of(value)?);
    }
    Ok(update)
}

fn document(fields: &Fields) -> Value {
    Value::Object(fields.iter().cloned().collect())
}

/// A template that is one number makes a number, everything else a text.
fn filled(template: &Template, subject: &Subject, delivery: &Delivery) -> Value {
    let text = template.fill(subject, delivery);
    match text.parse::<i64>() {
        Ok(number) if template.is_number() => Value::from(number),
        _ => Value::from(text.as_str()),
    }
}

/// `2026-11-20 20:00:00`, in UTC+8, as functions write it whose runtime knows only UTC.
fn in_china(moment: Wall) -> String {
    let moment = jiff::Timestamp::from_millisecond(moment.0).unwrap_or_default();
    jiff::tz::offset(8).to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::delivery::testing::{delivery, subject};
    use super::*;

    fn record(shape: Shape) -> CloudRecord {
        CloudRecord { collection: "c".to_owned(), shape }
    }

    /// What is sent to write it, and what to make it.
    fn statements(shape: Shape) -> (String, Option<String>) {
        let record = record(shape);
        let fields = record.fields(&subject(), &delivery());
        let create = record.create(&fields).unwrap().map(|creation| match creation {
            Creation::Add(add) => add.text().to_owned(),
            Creation::Set(set) => set.text().to_owned(),
        });
        (record.write(&fields).unwrap().text().to_owned(), create)
    }

    #[test]
    fn setconfig_changes_the_record_of_its_name_and_makes_it_when_it_is_absent() {
        let shape = Shape::SetConfig { config_name: "access_token".to_owned(), id: None };
        let (write, create) = statements(shape);
        assert_eq!(
            write,
            r#"db.collection("c").where({"config_name":_.eq("access_token")}).update({data:{"value":_.set("tok\"en")}})"#
        );
        assert_eq!(
            create.unwrap(),
            r#"db.collection("c").add({data:[{"config_name":"access_token","value":"tok\"en"}]})"#
        );
    }

    #[test]
    fn setconfig_by_id_changes_the_value_alone() {
        let shape = Shape::SetConfig { config_name: "access_token".to_owned(), id: Some("a".to_owned()) };
        let (write, create) = statements(shape);
        assert_eq!(write, r#"db.collection("c").doc("a").update({data:{"value":_.set("tok\"en")}})"#);
        assert_eq!(
            create.unwrap(),
            r#"db.collection("c").doc("a").set({data:{"config_name":"access_token","value":"tok\"en"}})"#
        );
    }

    #[test]
    fn cloud_token_says_in_chinas_time_since_when_it_is() {
        let (write, create) = statements(Shape::CloudToken { id: "access_token".to_owned() });
        assert_eq!(
            write,
            r#"db.collection("c").doc("access_token").set({data:{"value":"tok\"en","_updateTime":"2026-11-20 19:00:00"}})"#
        );
        assert_eq!(create, None, "set makes what is not there");
    }

    #[test]
    fn a_field_that_is_one_number_is_a_number() {
        let template = |text: &str| Template::parse(text).unwrap();
        let fields = vec![
            ("t".to_owned(), template("Bearer ${token}")),
            ("until".to_owned(), template("${expires_at}")),
            ("text".to_owned(), template("${expires_at} ")),
        ];
        let record = record(Shape::Fields { id: "a".to_owned(), fields });
        let written = document(&record.fields(&subject(), &delivery()));
        assert_eq!(
            written,
            serde_json::json!({"t": "Bearer tok\"en", "until": 1_795_176_000, "text": "1795176000 "})
        );
    }

    #[test]
    fn the_token_of_a_record_is_found_again() {
        let template = |text: &str| Template::parse(text).unwrap();
        let fields = vec![
            ("until".to_owned(), template("${expires_at}")),
            ("t".to_owned(), template("${app_id} ${token};")),
        ];
        let set_config = Shape::SetConfig { config_name: "access_token".to_owned(), id: None };
        for shape in [set_config, Shape::Fields { id: "a".to_owned(), fields }] {
            let record = record(shape);
            let mut document = document(&record.fields(&subject(), &delivery()));
            assert_eq!(record.token(&document, &subject()), Some(delivery().token));
            document.as_object_mut().unwrap().values_mut().for_each(|value| *value = Value::from(""));
            assert_ne!(record.token(&document, &subject()), Some(delivery().token));
        }
    }

    #[test]
    fn a_name_that_is_no_field_is_found_before_there_is_a_token() {
        let fields = vec![("$set".to_owned(), Template::parse("${token}").unwrap())];
        assert!(record(Shape::Fields { id: "a".to_owned(), fields }).check(&subject().credential).is_err());
        assert!(record(Shape::CloudToken { id: String::new() }).check(&subject().credential).is_err());
    }

    #[test]
    fn a_number_that_comes_back_another_way_is_the_same() {
        let fields = vec![("n".to_owned(), Value::from(17))];
        assert!(has(&serde_json::json!({"n": 17.0, "other": 1}), &fields));
        assert!(!has(&serde_json::json!({"n": 18}), &fields));
        assert!(!has(&serde_json::json!({}), &fields));
    }
}
