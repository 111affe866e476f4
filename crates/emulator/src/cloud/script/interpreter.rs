//! From the syntax tree to items: literals, names, members, calls.

use std::cell::Cell;
use std::collections::HashMap;

use indexmap::IndexMap;
use oxc_ast::ast::{
    Argument, ArrayExpression, ArrayExpressionElement, BindingPattern, CallExpression,
    ComputedMemberExpression, Expression, NewExpression, ObjectExpression, ObjectProperty,
    ObjectPropertyKind, Program, PropertyKey, PropertyKind, Statement, StaticMemberExpression,
    UnaryExpression, UnaryOperator, VariableDeclaration,
};
use oxc_span::{GetSpan as _, Span};

use super::super::ejson;
use super::super::measure::DEEPEST_DOCUMENT;
use super::super::request::Request;
use super::super::value::{Document, Value};
use super::item::{Global, Item};
use super::{Evaluated, Fault, chain, methods};

/// Evaluates one text.
pub(super) struct Interpreter {
    /// The moment of the request, in milliseconds since 1970.
    now: i64,
    names: HashMap<String, Item>,
    /// How many bytes names have brought into the text so far.
    named: Cell<u64>,
}

/// What stands behind names may take as many bytes, counted each time that a name is used: names of lists of names
/// would fill any memory.
const MOST_NAMED: u64 = 32 * 1024 * 1024;
/// The deepest request. Conditions are nested deeper than the documents that they are about.
const DEEPEST_REQUEST: usize = 2 * DEEPEST_DOCUMENT;

impl Interpreter {
    /// With the names that every text has.
    pub(super) fn new(now: i64) -> Interpreter {
        let known =
            [("db", Global::Db), ("_", Global::Command), ("$", Global::Aggregate), ("Date", Global::Date)];
        let names = known.into_iter().map(|(name, global)| (name.to_owned(), Item::Global(global)));
        Interpreter { now, names: names.collect(), named: Cell::new(0) }
    }

    /// The request that the last expression is.
    pub(super) fn run(mut self, program: &Program<'_>) -> Evaluated<Request> {
        let mut last = None;
        if let Some(directive) = program.directives.first() {
            return Err(("the text is a string, not a request".to_owned(), directive.span.start));
        }
        for statement in &program.body {
            match statement {
                Statement::ExpressionStatement(statement) => {
                    last = Some((self.item(&statement.expression)?, statement.span.start));
                }
                Statement::VariableDeclaration(declaration) => self.declare(declaration)?,
                Statement::EmptyStatement(_) => {}
                other => return Err(unsupported("this statement", other.span())),
            }
        }
        match last {
            Some((Item::Request(request), at)) if request.measure().depth > DEEPEST_REQUEST => {
                Err((format!("the request is nested deeper than {DEEPEST_REQUEST} levels"), at))
            }
            Some((Item::Request(request), _)) => Ok(*request),
            Some((item, at)) => Err((format!("the text ends in {}, not in a request", item.kind()), at)),
            None => Err(("the text has no request".to_owned(), 0)),
        }
    }

    fn declare(&mut self, declaration: &VariableDeclaration<'_>) -> Evaluated<()> {
        for declarator in &declaration.declarations {
            let Some(init) = &declarator.init else {
                return Err(("a name is declared without a value".to_owned(), declarator.span.start));
            };
            let item = self.item(init)?;
            if item.measure().depth > DEEPEST_DOCUMENT {
                let reason =
                    format!("what a name stands for is nested deeper than {DEEPEST_DOCUMENT} levels");
                return Err((reason, declarator.span.start));
            }
            match &declarator.id {
                BindingPattern::BindingIdentifier(name) => {
                    self.names.insert(name.name.to_string(), item);
                }
                BindingPattern::ObjectPattern(pattern) => {
                    if let Some(rest) = &pattern.rest {
                        return Err(unsupported("a rest pattern", rest.span));
                    }
                    for property in &pattern.properties {
                        let BindingPattern::BindingIdentifier(name) = &property.value else {
                            return Err(unsupported("this pattern", property.span));
                        };
                        let key = self.key(&property.key, property.computed)?;
                        let member =
                            methods::member(&item, &key).map_err(|why| (why, property.span.start))?;
                        self.names.insert(name.name.to_string(), member);
                    }
                }
                other => return Err(unsupported("this pattern", other.span())),
            }
        }
        Ok(())
    }

    /// Every kind of expression has a function of its own, which keeps what is on the stack small where they nest.
    fn item(&self, expression: &Expression<'_>) -> Evaluated<Item> {
        match expression {
            Expression::UnaryExpression(unary) => self.negative(unary),
            Expression::Identifier(name) => {
                self.named(name.name.as_str()).map_err(|why| (why, name.span.start))
            }
            Expression::ArrayExpression(array) => self.array(array),
            Expression::ObjectExpression(object) => self.object(object),
            Expression::StaticMemberExpression(member) if !member.optional => self.member(member),
            Expression::ComputedMemberExpression(member) if !member.optional => self.computed(member),
            Expression::CallExpression(call) if !call.optional => self.call(call),
            Expression::NewExpression(new) => self.construct(new),
            other => literal(other).map(Item::Value),
        }
    }

    fn member(&self, member: &StaticMemberExpression<'_>) -> Evaluated<Item> {
        let object = self.item(&member.object)?;
        let name = &member.property;
        methods::member(&object, name.name.as_str()).map_err(|why| (why, name.span.start))
    }

    fn computed(&self, member: &ComputedMemberExpression<'_>) -> Evaluated<Item> {
        let object = self.item(&member.object)?;
        let key = self.text(&member.expression)?;
        methods::member(&object, &key).map_err(|why| (why, member.expression.span().start))
    }

    fn construct(&self, new: &NewExpression<'_>) -> Evaluated<Item> {
        let constructor = self.item(&new.callee)?;
        let arguments = self.arguments(&new.arguments)?;
        methods::construct(&constructor, arguments, self.now).map_err(|why| (why, new.span.start))
    }

    /// What a name stands for.
    fn named(&self, name: &str) -> Result<Item, String> {
        if name == "undefined" {
            return Ok(Item::Undefined);
        }
        let item = self.names.get(name).ok_or_else(|| format!("ReferenceError: {name} is not defined"))?;
        if !matches!(item, Item::Global(_)) {
            self.named.set(self.named.get().saturating_add(item.measure().memory));
        }
        if self.named.get() > MOST_NAMED {
            return Err(format!(
                "what names stand for takes more than {MOST_NAMED} bytes: use them less often"
            ));
        }
        Ok(item.clone())
    }

    fn negative(&self, unary: &UnaryExpression<'_>) -> Evaluated<Item> {
        match (unary.operator, &unary.argument) {
            (UnaryOperator::UnaryNegation, Expression::NumericLiteral(literal)) => {
                Ok(Item::Value(Value::number(-literal.value)))
            }
            (UnaryOperator::UnaryPlus, Expression::NumericLiteral(literal)) => {
                Ok(Item::Value(Value::number(literal.value)))
            }
            _ => Err(unsupported("this operator", unary.span)),
        }
    }

    fn array(&self, array: &ArrayExpression<'_>) -> Evaluated<Item> {
        let mut items = Vec::with_capacity(array.elements.len());
        for element in &array.elements {
            items.push(match element.as_expression() {
                Some(expression) => self.item(expression)?,
                None => return Err(unsupported_element(element)),
            });
        }
        Ok(list(items))
    }

    fn object(&self, object: &ObjectExpression<'_>) -> Evaluated<Item> {
        let mut fields: IndexMap<String, Item> = IndexMap::new();
        for property in &object.properties {
            let property = plain_property(property)?;
            let key = self.key(&property.key, property.computed)?;
            fields.insert(key, self.item(&property.value)?);
        }
        whole(fields).map_err(|reason| (reason, object.span.start))
    }

    fn key(&self, key: &PropertyKey<'_>, computed: bool) -> Evaluated<String> {
        match key {
            PropertyKey::StaticIdentifier(name) => Ok(name.name.to_string()),
            PropertyKey::StringLiteral(literal) => Ok(literal.value.to_string()),
            PropertyKey::NumericLiteral(literal) => Ok(literal.value.to_string()),
            key => match key.as_expression().filter(|_| computed) {
                Some(expression) => self.text(expression),
                None => Err(unsupported("this key", key.span())),
            },
        }
    }

    /// A string or a number, as a key.
    fn text(&self, expression: &Expression<'_>) -> Evaluated<String> {
        match self.item(expression)? {
            Item::Value(Value::String(text)) => Ok(text),
            Item::Value(number) if number.as_i64().is_some() => {
                Ok(number.as_i64().map_or_else(String::new, |number| number.to_string()))
            }
            _ => Err(unsupported("this key", expression.span())),
        }
    }

    fn arguments(&self, arguments: &[Argument<'_>]) -> Evaluated<Vec<Item>> {
        let mut items = Vec::with_capacity(arguments.len());
        for argument in arguments {
            items.push(match argument.as_expression() {
                Some(expression) => self.item(expression)?,
                None => return Err(unsupported("a spread", argument.span())),
            });
        }
        Ok(items)
    }

    fn call(&self, call: &CallExpression<'_>) -> Evaluated<Item> {
        let arguments = self.arguments(&call.arguments)?;
        match &call.callee {
            Expression::StaticMemberExpression(member) => {
                let object = self.item(&member.object)?;
                let name = &member.property;
                self.called(object, name.name.as_str(), arguments).map_err(|why| (why, name.span.start))
            }
            Expression::ComputedMemberExpression(member) => {
                let object = self.item(&member.object)?;
                let name = self.text(&member.expression)?;
                self.called(object, &name, arguments).map_err(|why| (why, member.span.start))
            }
            // `const { Point } = db.Geo; Point(1, 2)`
            callee => {
                let item = self.item(callee)?;
                methods::construct(&item, arguments, self.now).map_err(|why| (why, callee.span().start))
            }
        }
    }

    fn called(&self, object: Item, name: &str, arguments: Vec<Item>) -> Result<Item, String> {
        match object {
            Item::Global(global) => methods::call(global, name, arguments, self.now),
            Item::Condition(condition) => methods::extend(condition, name, arguments, self.now),
            Item::Target(target) => chain::call_target(target, name, arguments, self.now),
            Item::Aggregation(aggregation) => chain::call_aggregation(aggregation, name, arguments, self.now),
            other => Err(format!("TypeError: {} has no method {name:?}", other.kind())),
        }
    }
}

/// A value that is written out.
fn literal(expression: &Expression<'_>) -> Evaluated<Value> {
    Ok(match expression {
        Expression::NullLiteral(_) => Value::Null,
        Expression::BooleanLiteral(literal) => Value::Bool(literal.value),
        Expression::NumericLiteral(literal) => Value::number(literal.value),
        Expression::StringLiteral(literal) => Value::String(literal.value.to_string()),
        Expression::RegExpLiteral(literal) => {
            Value::Regex(literal.regex.pattern.text.to_string(), literal.regex.flags.to_string())
        }
        Expression::TemplateLiteral(literal) => match (literal.quasis.first(), literal.expressions.first()) {
            (Some(only), None) => {
                Value::String(only.value.cooked.as_ref().map_or_else(String::new, ToString::to_string))
            }
            _ => return Err(unsupported("a template with expressions", literal.span)),
        },
        other => return Err(unsupported("this expression", other.span())),
    })
}

fn unsupported_element(element: &ArrayExpressionElement<'_>) -> Fault {
    match element {
        ArrayExpressionElement::SpreadElement(spread) => unsupported("a spread", spread.span),
        ArrayExpressionElement::Elision(hole) => unsupported("a hole in a list", hole.span),
        element => unsupported("this element", element.span()),
    }
}

/// A property that is a name and a value.
fn plain_property<'p, 't>(property: &'p ObjectPropertyKind<'t>) -> Evaluated<&'p ObjectProperty<'t>> {
    match property {
        ObjectPropertyKind::ObjectProperty(property)
            if property.kind != PropertyKind::Init || property.method =>
        {
            Err(unsupported("a function", property.span))
        }
        ObjectPropertyKind::ObjectProperty(property) => Ok(property),
        ObjectPropertyKind::SpreadProperty(spread) => Err(unsupported("a spread", spread.span)),
    }
}

/// What holds no command is a plain value from here on.
fn list(items: Vec<Item>) -> Item {
    if items.iter().any(is_special) {
        return Item::Array(items);
    }
    let values = items.into_iter().map(|item| match item {
        Item::Value(value) => value,
        // As JavaScript clients write it.
        _ => Value::Null,
    });
    Item::Value(values.collect::<Vec<Value>>().into())
}

/// What holds no command is a plain value from here on; Extended JSON is understood, because clients send it.
fn whole(fields: IndexMap<String, Item>) -> Result<Item, String> {
    if fields.values().any(is_special) {
        return Ok(Item::Object(fields));
    }
    let kept = fields.into_iter().filter_map(|(name, item)| match item {
        Item::Value(value) => Some((name, value)),
        _ => None,
    });
    let document: Document = kept.collect();
    if let Some(value) = ejson::recognised(&document) {
        return Ok(Item::Value(value));
    }
    match ejson::unreadable_form(&document) {
        Some(reason) => Err(reason),
        None => Ok(Item::Value(Value::Object(document))),
    }
}

/// What must not become a plain value yet.
fn is_special(item: &Item) -> bool {
    !matches!(item, Item::Value(_) | Item::Undefined)
}

fn unsupported(what: &str, span: Span) -> Fault {
    (format!("{what} is not supported in a query"), span.start)
}
