//! Every operator of an update, and what is refused.

use serde_json::{Value as Json, json};

use super::super::testing::{doc, shown};
use super::*;

fn apply(update: Json, document: Json, occasion: Occasion) -> Outcome<(Json, bool)> {
    let mut document = doc(document);
    let modified = Update::parse(&doc(update))?.apply(&mut document, occasion)?;
    Ok((shown(&document), modified))
}

fn updated(update: Json, document: Json) -> Json {
    apply(update, document, Occasion::default()).unwrap().0
}

fn refused(update: Json, document: Json) -> String {
    apply(update, document, Occasion::default()).unwrap_err().to_string()
}

#[test]
fn set_creates_and_replaces() {
    assert_eq!(updated(json!({"$set": {"a": 2, "b.c": 1}}), json!({"a": 1})), json!({"a": 2, "b": {"c": 1}}));
}

#[test]
fn setting_what_is_there_modifies_nothing() {
    let (_, modified) = apply(json!({"$set": {"a": 1}}), json!({"a": 1}), Occasion::default()).unwrap();
    assert!(!modified);
}

#[test]
fn the_positional_operator_is_the_matched_element() {
    let occasion = Occasion { matched_index: Some(1), ..Occasion::default() };
    let (document, modified) =
        apply(json!({"$set": {"a.$.x": 9}}), json!({"a": [{"x": 1}, {"x": 2}]}), occasion).unwrap();
    assert_eq!(document, json!({"a": [{"x": 1}, {"x": 9}]}));
    assert!(modified);
}

#[test]
fn the_positional_operator_needs_a_match() {
    assert_eq!(
        refused(json!({"$set": {"a.$": 1}}), json!({"a": [1]})),
        "The positional operator did not find the match needed from the query."
    );
}

#[test]
fn all_elements_are_changed() {
    assert_eq!(updated(json!({"$inc": {"a.$[]": 1}}), json!({"a": [1, 2]})), json!({"a": [2, 3]}));
}

#[test]
fn unset_takes_a_field_away() {
    assert_eq!(updated(json!({"$unset": {"a": "", "b": ""}}), json!({"a": 1})), json!({}));
}

#[test]
fn inc_adds() {
    assert_eq!(updated(json!({"$inc": {"a": 2, "b": -1}}), json!({"a": 1})), json!({"a": 3, "b": -1}));
}

#[test]
fn inc_keeps_integers_and_widens_them() {
    let mut document = doc(json!({"a": 2_147_483_647}));
    Update::parse(&doc(json!({"$inc": {"a": 1}})))
        .unwrap()
        .apply(&mut document, Occasion::default())
        .unwrap();
    assert_eq!(document.get("a"), Some(&Value::Long(2_147_483_648)));
}

#[test]
fn inc_wants_numbers() {
    assert_eq!(
        refused(json!({"$inc": {"a": 1}}), json!({"_id": 1, "a": "x"})),
        "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 'a' of non-numeric type string"
    );
    assert_eq!(
        refused(json!({"$inc": {"a": "x"}}), json!({})),
        "Cannot increment with non-numeric argument: {a: \"x\"}"
    );
}

#[test]
fn mul_multiplies() {
    assert_eq!(updated(json!({"$mul": {"a": 1.5, "b": 5}}), json!({"a": 3})), json!({"a": 4.5, "b": 0}));
}

#[test]
fn min_and_max_move_limits() {
    assert_eq!(
        updated(json!({"$min": {"a": 1, "b": 9}, "$max": {"c": 9, "d": 1}}), json!({"a": 2, "b": 2, "c": 2})),
        json!({"a": 1, "b": 2, "c": 9, "d": 1})
    );
}

#[test]
fn rename_moves_a_field() {
    assert_eq!(updated(json!({"$rename": {"a": "b.c"}}), json!({"a": 1})), json!({"b": {"c": 1}}));
}

#[test]
fn push_adds_one_value_or_each() {
    assert_eq!(updated(json!({"$push": {"a": [1]}}), json!({"a": [0]})), json!({"a": [0, [1]]}));
    assert_eq!(updated(json!({"$push": {"a": {"$each": [1, 2]}}}), json!({})), json!({"a": [1, 2]}));
}

#[test]
fn push_positions_sorts_and_slices() {
    let push = |modifiers: Json| updated(json!({"$push": {"a": modifiers}}), json!({"a": [5, 4]}));
    assert_eq!(push(json!({"$each": [1], "$position": 0})), json!({"a": [1, 5, 4]}));
    assert_eq!(push(json!({"$each": [1], "$position": -1})), json!({"a": [5, 1, 4]}));
    assert_eq!(push(json!({"$each": [1], "$sort": 1})), json!({"a": [1, 4, 5]}));
    assert_eq!(push(json!({"$each": [1], "$slice": -2})), json!({"a": [4, 1]}));
    assert_eq!(push(json!({"$each": [1, 2], "$slice": 3})), json!({"a": [5, 4, 1]}));
}

#[test]
fn push_sorts_documents_by_a_field() {
    assert_eq!(
        updated(json!({"$push": {"a": {"$each": [{"x": 1}], "$sort": {"x": 1}}}}), json!({"a": [{"x": 2}]})),
        json!({"a": [{"x": 1}, {"x": 2}]})
    );
}

#[test]
fn push_wants_an_array() {
    assert_eq!(
        refused(json!({"$push": {"a": 1}}), json!({"_id": 1, "a": 1})),
        "The field 'a' must be an array but is of type int in document {_id: 1}"
    );
}

#[test]
fn pop_takes_the_last_or_the_first() {
    assert_eq!(updated(json!({"$pop": {"a": 1}}), json!({"a": [1, 2]})), json!({"a": [1]}));
    assert_eq!(updated(json!({"$pop": {"a": -1}}), json!({"a": [1, 2]})), json!({"a": [2]}));
}

#[test]
fn pull_takes_out_values() {
    assert_eq!(updated(json!({"$pull": {"a": 1}}), json!({"a": [1, 2, 1]})), json!({"a": [2]}));
}

#[test]
fn pull_takes_out_what_fulfils_a_condition() {
    assert_eq!(updated(json!({"$pull": {"a": {"$gt": 1}}}), json!({"a": [1, 2]})), json!({"a": [1]}));
}

#[test]
fn pull_takes_out_documents_that_match() {
    assert_eq!(
        updated(json!({"$pull": {"a": {"x": {"$gt": 1}}}}), json!({"a": [{"x": 1}, {"x": 2, "y": 0}]})),
        json!({"a": [{"x": 1}]})
    );
}

#[test]
fn pull_all_takes_out_a_list() {
    assert_eq!(updated(json!({"$pullAll": {"a": [1, 2]}}), json!({"a": [1, 2, 3]})), json!({"a": [3]}));
}

#[test]
fn add_to_set_adds_what_is_new() {
    assert_eq!(updated(json!({"$addToSet": {"a": 1}}), json!({"a": [1]})), json!({"a": [1]}));
    assert_eq!(
        updated(json!({"$addToSet": {"a": {"$each": [1, 2, 2]}}}), json!({"a": [1]})),
        json!({"a": [1, 2]})
    );
}

#[test]
fn bit_combines_bits() {
    assert_eq!(updated(json!({"$bit": {"a": {"and": 6}}}), json!({"a": 5})), json!({"a": 4}));
    assert_eq!(updated(json!({"$bit": {"a": {"or": 2}}}), json!({"a": 5})), json!({"a": 7}));
    assert_eq!(updated(json!({"$bit": {"a": {"xor": 1}}}), json!({})), json!({"a": 1}));
}

#[test]
fn set_on_insert_waits_for_an_insert() {
    let update = json!({"$setOnInsert": {"a": 1}});
    let inserting = Occasion { inserting: true, ..Occasion::default() };
    assert_eq!(apply(update.clone(), json!({}), inserting).unwrap().0, json!({"a": 1}));
    assert_eq!(updated(update, json!({})), json!({}));
}

#[test]
fn current_date_is_the_moment() {
    let occasion = Occasion { now: 5, ..Occasion::default() };
    let (document, _) =
        apply(json!({"$currentDate": {"a": true, "b": {"$type": "date"}}}), json!({}), occasion).unwrap();
    assert_eq!(document, json!({"a": {"$date": 5}, "b": {"$date": 5}}));
}

#[test]
fn changes_of_the_same_field_conflict() {
    assert_eq!(
        refused(json!({"$set": {"a": 1}, "$inc": {"a.b": 1}}), json!({})),
        "Updating the path 'a.b' would create a conflict at 'a'"
    );
    assert!(refused(json!({"$rename": {"a": "b"}, "$set": {"b": 1}}), json!({})).contains("conflict at 'b'"));
}

#[test]
fn the_id_stays() {
    assert!(refused(json!({"$set": {"_id": 2}}), json!({"_id": 1})).contains("immutable field '_id'"));
    assert_eq!(updated(json!({"$set": {"_id": 1}}), json!({"_id": 1})), json!({"_id": 1}));
}

#[test]
fn a_refusal_changes_nothing() {
    let mut document = doc(json!({"a": 1, "b": "x"}));
    let update = Update::parse(&doc(json!({"$set": {"a": 2}, "$inc": {"b": 1}}))).unwrap();
    assert!(update.apply(&mut document, Occasion::default()).is_err());
    assert_eq!(shown(&document), json!({"a": 1, "b": "x"}));
}

#[test]
fn unknown_operators_are_refused() {
    assert_eq!(refused(json!({"$grow": {"a": 1}}), json!({})), "Unknown modifier: $grow");
    assert_eq!(
        refused(json!({"a": 1}), json!({})),
        "the update operation document must contain atomic operators."
    );
}
