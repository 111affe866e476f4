//! What schemas accept.

use serde_json::{Value as Json, json};

use super::super::super::testing::value;
use super::*;

fn accepts(schema: Json, tested: Json) -> bool {
    Schema::parse(&value(schema), &Budget::default())
        .unwrap()
        .accepts(&value(tested), &Budget::default())
        .unwrap()
}

#[test]
fn required_fields_are_there() {
    assert!(accepts(json!({"required": ["a"]}), json!({"a": 1})));
    assert!(!accepts(json!({"required": ["a"]}), json!({"b": 1})));
}

#[test]
fn properties_have_their_own_schema() {
    let schema = json!({"properties": {"a": {"bsonType": ["int", "string"]}}});
    assert!(accepts(schema.clone(), json!({"a": "x"})));
    assert!(!accepts(schema, json!({"a": 1.5})));
}

#[test]
fn types_of_json_schema_are_known() {
    assert!(accepts(json!({"type": "number"}), json!(1.5)));
    assert!(!accepts(json!({"type": "boolean"}), json!(1)));
}

#[test]
fn enum_lists_the_values() {
    assert!(accepts(json!({"enum": [1, "x"]}), json!("x")));
    assert!(!accepts(json!({"enum": [1, "x"]}), json!("y")));
}

#[test]
fn numbers_have_bounds() {
    assert!(accepts(json!({"minimum": 1, "maximum": 2}), json!(2)));
    assert!(!accepts(json!({"maximum": 2, "exclusiveMaximum": true}), json!(2)));
    assert!(!accepts(json!({"minimum": 1, "multipleOf": 2}), json!(3)));
}

#[test]
fn texts_have_a_length_in_characters() {
    assert!(accepts(json!({"minLength": 2, "maxLength": 2}), json!("中文")));
    assert!(!accepts(json!({"minLength": 3}), json!("中文")));
}

#[test]
fn texts_have_a_pattern() {
    assert!(accepts(json!({"pattern": "^a"}), json!("ab")));
    assert!(!accepts(json!({"pattern": "^a"}), json!("ba")));
}

#[test]
fn items_have_a_schema_and_a_number() {
    let schema = json!({"items": {"type": "string"}, "minItems": 1, "maxItems": 2, "uniqueItems": true});
    assert!(accepts(schema.clone(), json!(["a", "b"])));
    assert!(!accepts(schema.clone(), json!([])));
    assert!(!accepts(schema, json!(["a", "a"])));
}

#[test]
fn schemas_combine() {
    let schema = json!({"anyOf": [{"type": "string"}, {"type": "number"}], "not": {"enum": [1]}});
    assert!(accepts(schema.clone(), json!(2)));
    assert!(!accepts(schema, json!(1)));
}

#[test]
fn an_unknown_keyword_is_refused() {
    let refused = Schema::parse(&value(json!({"format": "email"})), &Budget::default()).unwrap_err();
    assert_eq!(refused.to_string(), "Unknown $jsonSchema keyword: format");
}

fn refusal(schema: Json) -> String {
    Schema::parse(&value(schema), &Budget::default()).unwrap_err().to_string()
}

#[test]
fn additional_properties_have_a_schema() {
    let schema = json!({"properties": {"a": {}}, "additionalProperties": {"type": "string"}});
    assert!(accepts(schema.clone(), json!({"a": 1, "b": "x"})));
    assert!(!accepts(schema, json!({"a": 1, "b": 2})));
    assert!(!accepts(json!({"additionalProperties": false}), json!({"a": 1})));
    assert!(refusal(json!({"additionalProperties": 1})).contains("must be an object or a boolean"));
}

#[test]
fn multiples_are_counted_in_decimals() {
    for (step, number) in
        [(json!(0.01), json!(19.99)), (json!(0.1), json!(0.3)), (json!(1e-300), json!(1e300))]
    {
        assert!(accepts(json!({"multipleOf": step}), number.clone()), "{step} {number}");
    }
    assert!(!accepts(json!({"multipleOf": 0.01}), json!(19.995)));
    assert!(!accepts(json!({"multipleOf": 1e300}), json!(3)));
    assert!(!accepts(json!({"multipleOf": 3}), json!({"$numberLong": "9223372036854775807"})));
    assert!(accepts(json!({"multipleOf": 7}), json!({"$numberLong": "9223372036854775807"})));
    assert!(refusal(json!({"multipleOf": 0})).contains("positive"));
}

#[test]
fn an_exclusive_bound_needs_its_bound() {
    assert!(refusal(json!({"exclusiveMinimum": true})).contains("'minimum' must be a present"));
    assert!(
        refusal(json!({"exclusiveMaximum": true, "maximum": 1, "minimum": 0, "exclusiveMinimum": 1}))
            .contains("boolean")
    );
}

#[test]
fn keywords_have_their_types() {
    assert!(refusal(json!({"uniqueItems": "x"})).contains("must be a boolean"));
    assert!(refusal(json!({"type": []})).contains("cannot be empty"));
    assert!(refusal(json!({"required": ["a", "a"]})).contains("duplicate"));
    assert!(refusal(json!({"additionalItems": false})).starts_with("Unknown"));
}

#[test]
fn the_order_of_fields_does_not_matter() {
    assert!(accepts(
        json!({"enum": [{"a": 1, "b": [{"c": 1, "d": 2}]}]}),
        json!({"b": [{"d": 2, "c": 1}], "a": 1})
    ));
    assert!(!accepts(json!({"uniqueItems": true}), json!([{"a": 1, "b": 2}, {"b": 2, "a": 1}])));
}

#[test]
fn lists_of_a_schema_name_nothing_twice() {
    for schema in [
        json!({"enum": [1, 1]}),
        json!({"enum": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}),
        json!({"type": ["string", "string"]}),
        json!({"bsonType": ["int", "string", "int"]}),
    ] {
        assert!(refusal(schema.clone()).contains("duplicate"), "{schema}");
    }
}

#[test]
fn there_is_one_kind_of_type() {
    let refused = refusal(json!({"type": "number", "bsonType": "int"}));
    assert_eq!(refused, "Cannot specify both $jsonSchema keywords 'type' and 'bsonType'");
}

#[test]
fn titles_and_descriptions_are_texts() {
    assert!(accepts(json!({"title": "a", "description": "b"}), json!(1)));
    for keyword in ["title", "description"] {
        assert_eq!(refusal(json!({keyword: 1})), format!("$jsonSchema keyword '{keyword}' must be a string"));
    }
}
