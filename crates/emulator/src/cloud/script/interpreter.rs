//! From the syntax tree to items: literals, names, members, calls.

use std::collections::HashMap;

use oxc_ast::ast::{
    Argument, ArrayExpressionElement, BindingPattern, Expression, ObjectPropertyKind, Program, PropertyKey,
    PropertyKind, Statement, UnaryOperator, VariableDeclaration,
};
use oxc_span::{GetSpan as _, Span};

use super::super::ejson;
use super::super::request::Request;
use super::super::value::Value;
use super::item::{Global, Item};
use super::{Evaluated, chain, methods};

/// Evaluates one text.
pub(super) struct Interpreter {
    /// The moment of the request, in milliseconds since 1970.
    now: i64,
    names: HashMap<String, Item>,
}

impl Interpreter {
    /// With the names that every text has.
    pub(super) fn new(now: i64) -> Interpreter {
        let known =
            [("db", Global::Db), ("_", Global::Command), ("$", Global::Aggregate), ("Date", Global::Date)];
        let names = known.into_iter().map(|(name, global)| (name.to_owned(), Item::Global(global)));
        Interpreter { now, names: names.collect() }
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
            Some((Item::Request(request), _)) => Ok(request),
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

    fn item(&self, expression: &Expression<'_>) -> Evaluated<Item> {
        let value = |value: Value| Ok(Item::Value(value));
        match expression {
            Expression::NullLiteral(_) => value(Value::Null),
            Expression::BooleanLiteral(literal) => value(Value::Bool(literal.value)),
            Expression::NumericLiteral(literal) => value(Value::number(literal.value)),
            Expression::StringLiteral(literal) => value(Value::String(literal.value.to_string())),
            Expression::RegExpLiteral(literal) => {
                value(Value::Regex(literal.regex.pattern.text.to_string(), literal.regex.flags.to_string()))
            }
            Expression::TemplateLiteral(literal) => {
                match (literal.quasis.first(), literal.expressions.first()) {
                    (Some(only), None) => value(Value::String(
                        only.value.cooked.as_ref().map_or_else(String::new, ToString::to_string),
                    )),
                    _ => Err(unsupported("a template with expressions", literal.span)),
                }
            }
            Expression::UnaryExpression(unary) => self.negative(unary),
            Expression::Identifier(name) if name.name == "undefined" => Ok(Item::Undefined),
            Expression::Identifier(name) => self
                .names
                .get(name.name.as_str())
                .cloned()
                .ok_or_else(|| (format!("ReferenceError: {} is not defined", name.name), name.span.start)),
            Expression::ArrayExpression(array) => self.array(array),
            Expression::ObjectExpression(object) => self.object(object),
            Expression::StaticMemberExpression(member) if !member.optional => {
                let object = self.item(&member.object)?;
                methods::member(&object, member.property.name.as_str())
                    .map_err(|why| (why, member.property.span.start))
            }
            Expression::ComputedMemberExpression(member) if !member.optional => {
                let object = self.item(&member.object)?;
                let key = self.text(&member.expression)?;
                methods::member(&object, &key).map_err(|why| (why, member.expression.span().start))
            }
            Expression::CallExpression(call) if !call.optional => {
                let arguments = self.arguments(&call.arguments)?;
                self.call(&call.callee, arguments)
            }
            Expression::NewExpression(new) => {
                let constructor = self.item(&new.callee)?;
                let arguments = self.arguments(&new.arguments)?;
                methods::construct(&constructor, &arguments, self.now).map_err(|why| (why, new.span.start))
            }
            other => Err(unsupported("this expression", other.span())),
        }
    }

    fn negative(&self, unary: &oxc_ast::ast::UnaryExpression<'_>) -> Evaluated<Item> {
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

    fn array(&self, array: &oxc_ast::ast::ArrayExpression<'_>) -> Evaluated<Item> {
        let items = array.elements.iter().map(|element| match element {
            ArrayExpressionElement::SpreadElement(spread) => Err(unsupported("a spread", spread.span)),
            ArrayExpressionElement::Elision(hole) => Err(unsupported("a hole in a list", hole.span)),
            element => match element.as_expression() {
                Some(expression) => self.item(expression),
                None => Err(unsupported("this element", element.span())),
            },
        });
        let items = items.collect::<Evaluated<Vec<Item>>>()?;
        Ok(plain(Item::Array(items), self.now))
    }

    fn object(&self, object: &oxc_ast::ast::ObjectExpression<'_>) -> Evaluated<Item> {
        let mut fields: Vec<(String, Item)> = Vec::new();
        for property in &object.properties {
            let property = match property {
                ObjectPropertyKind::ObjectProperty(property) => property,
                ObjectPropertyKind::SpreadProperty(spread) => {
                    return Err(unsupported("a spread", spread.span));
                }
            };
            if property.kind != PropertyKind::Init || property.method {
                return Err(unsupported("a function", property.span));
            }
            let key = self.key(&property.key, property.computed)?;
            let item = self.item(&property.value)?;
            match fields.iter_mut().find(|(name, _)| *name == key) {
                Some((_, before)) => *before = item,
                None => fields.push((key, item)),
            }
        }
        Ok(plain(Item::Object(fields), self.now))
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
        let items = arguments.iter().map(|argument| match argument.as_expression() {
            Some(expression) => self.item(expression),
            None => Err(unsupported("a spread", argument.span())),
        });
        items.collect()
    }

    fn call(&self, callee: &Expression<'_>, arguments: Vec<Item>) -> Evaluated<Item> {
        let (object, name, at) = match callee {
            Expression::StaticMemberExpression(member) => {
                (self.item(&member.object)?, member.property.name.to_string(), member.property.span)
            }
            Expression::ComputedMemberExpression(member) => {
                (self.item(&member.object)?, self.text(&member.expression)?, member.span)
            }
            // `const { Point } = db.Geo; Point(1, 2)`
            callee => {
                let item = self.item(callee)?;
                return methods::construct(&item, &arguments, self.now)
                    .map_err(|why| (why, callee.span().start));
            }
        };
        let called = match object {
            Item::Global(global) => methods::call(global, &name, arguments, self.now),
            Item::Condition(condition) => methods::extend(condition, &name, arguments, self.now),
            Item::Target(target) => chain::call_target(target, &name, arguments, self.now),
            Item::Aggregation(aggregation) => {
                chain::call_aggregation(aggregation, &name, arguments, self.now)
            }
            other => Err(format!("TypeError: {} has no method {name:?}", other.kind())),
        };
        called.map_err(|why| (why, at.start))
    }
}

/// What holds no command is a plain value from here on; Extended JSON in it is understood, because clients send it.
fn plain(item: Item, now: i64) -> Item {
    let has_shapes = match &item {
        Item::Array(items) => items.iter().any(is_special),
        Item::Object(fields) => fields.iter().any(|(_, item)| is_special(item)),
        _ => true,
    };
    if has_shapes {
        return item;
    }
    let Some(value) = item.to_value(now) else { return item };
    match ejson::read(&ejson::plain(&value)) {
        // None of its forms: how numbers were written is kept.
        Value::Object(_) | Value::Array(_) => Item::Value(value),
        recognised => Item::Value(recognised),
    }
}

/// What must not become a plain value yet.
fn is_special(item: &Item) -> bool {
    !matches!(item, Item::Value(_) | Item::Undefined)
}

fn unsupported(what: &str, span: Span) -> (String, u32) {
    (format!("{what} is not supported in a query"), span.start)
}
