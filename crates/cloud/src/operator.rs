//! The aggregation operators that take their operands as they are: one a line.

use crate::expr::Expr;
use crate::script::Fragment;

/// How an operator takes its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arity {
    /// One, by itself.
    One,
    /// So many, in a list.
    Exactly(usize),
    /// At least so many, in a list.
    AtLeast(usize),
}

macro_rules! operators {
    (
        one { $($(#[$one_doc:meta])* $one:ident $one_name:literal;)+ }
        two { $($(#[$two_doc:meta])* $two:ident $two_name:literal;)+ }
        three { $($(#[$three_doc:meta])* $three:ident $three_name:literal;)+ }
        many { $($(#[$many_doc:meta])* $many:ident $least:literal $many_name:literal;)+ }
    ) => {
        /// What aggregation knows: the operators of one operand, of several, and of lists.
        impl Expr {
            $($(#[$one_doc])*
            #[must_use]
            pub fn $one(operand: impl Into<Expr>) -> Expr { Expr::operator($one_name, Arity::One, vec![operand.into()]) })+
            $($(#[$two_doc])*
            #[must_use]
            pub fn $two(first: impl Into<Expr>, second: impl Into<Expr>) -> Expr {
                Expr::operator($two_name, Arity::Exactly(2), vec![first.into(), second.into()])
            })+
            $($(#[$three_doc])*
            #[must_use]
            pub fn $three(first: impl Into<Expr>, second: impl Into<Expr>, third: impl Into<Expr>) -> Expr {
                Expr::operator($three_name, Arity::Exactly(3), vec![first.into(), second.into(), third.into()])
            })+
            $($(#[$many_doc])*
            #[must_use]
            pub fn $many<T: Into<Expr>>(operands: impl IntoIterator<Item = T>) -> Expr {
                let operands = operands.into_iter().map(Into::into).collect();
                Expr::operator($many_name, Arity::AtLeast($least), operands)
            })+
        }

        /// The operators of this file by their names on the platform.
        pub(crate) const OPERATORS: &[(&str, Arity)] = &[
            $(($one_name, Arity::One),)+
            $(($two_name, Arity::Exactly(2)),)+
            $(($three_name, Arity::Exactly(3)),)+
            $(($many_name, Arity::AtLeast($least)),)+
        ];
    };
}

impl Expr {
    /// Any operator of this file, with operands that were counted.
    pub(crate) fn operator(name: &str, arity: Arity, operands: Vec<Expr>) -> Expr {
        let too_few = matches!(arity, Arity::AtLeast(least) if operands.len() < least);
        if too_few {
            return Expr::refused(crate::BuildError::Empty("an operator on a list"));
        }
        let mut operands = operands.into_iter().map(Expr::into_piece);
        let function = format!("$.{name}");
        match arity {
            Arity::One => Expr::from_piece(Fragment::call(&function, operands.next())),
            _ => Expr::from_piece(Fragment::call(&function, [Fragment::array(operands)])),
        }
    }
}

operators! {
    one {
        /// Without its sign.
        abs "abs";
        /// Rounded up.
        ceil "ceil";
        /// e to this power.
        exp "exp";
        /// Rounded down.
        floor "floor";
        /// The natural logarithm.
        ln "ln";
        /// The logarithm to the base 10.
        log10 "log10";
        /// The square root.
        sqrt "sqrt";
        /// Without its fraction.
        trunc "trunc";
        /// A list of keys and values as an object.
        array_to_object "arrayToObject";
        /// Whether it is a list.
        is_array "isArray";
        /// A list from its end.
        reverse_array "reverseArray";
        /// How many elements a list has.
        size "size";
        /// The day of the month, from 1.
        day_of_month "dayOfMonth";
        /// The day of the week, 1 for Sunday.
        day_of_week "dayOfWeek";
        /// The day of the year, from 1.
        day_of_year "dayOfYear";
        /// The day of the week, 1 for Monday.
        iso_day_of_week "isoDayOfWeek";
        /// The week of the year after ISO 8601.
        iso_week "isoWeek";
        /// The year of the week after ISO 8601.
        iso_week_year "isoWeekYear";
        /// The millisecond, from 0.
        millisecond "millisecond";
        /// The minute, from 0.
        minute "minute";
        /// The month, from 1.
        month "month";
        /// The second, from 0.
        second "second";
        /// The hour, from 0.
        hour "hour";
        /// The week of the year, from 0, which ends before the first Sunday.
        week "week";
        /// The year.
        year "year";
        /// An object as a list of keys and values.
        object_to_array "objectToArray";
        /// How many bytes a text has.
        str_len_bytes "strLenBytes";
        /// How many characters a text has.
        str_len_cp "strLenCP";
        /// In lower case.
        to_lower "toLower";
        /// In upper case.
        to_upper "toUpper";
        /// Accumulates each distinct value in a list.
        add_to_set "addToSet";
        /// The mean, of a group or of a list.
        avg "avg";
        /// The first of a group.
        first "first";
        /// The last of a group.
        last "last";
        /// The greatest, of a group or of a list.
        max "max";
        /// The least, of a group or of a list.
        min "min";
        /// Accumulates each value in a list.
        push "push";
        /// The standard deviation of a whole population.
        std_dev_pop "stdDevPop";
        /// The standard deviation of a sample.
        std_dev_samp "stdDevSamp";
        /// The sum, of a group or of a list.
        sum "sum";
    }
    two {
        /// The quotient.
        divide "divide";
        /// The logarithm of the first to the base of the second.
        log "log";
        /// The remainder.
        modulo "mod";
        /// The first to the power of the second.
        pow "pow";
        /// The difference.
        subtract "subtract";
        /// The element of a list at a place, from 0, or from its end with -1.
        array_elem_at "arrayElemAt";
        /// Whether a value is in a list.
        is_in "in";
        /// -1, 0 or 1.
        cmp "cmp";
        /// Equal.
        eq "eq";
        /// Greater.
        gt "gt";
        /// Greater or equal.
        gte "gte";
        /// Less.
        lt "lt";
        /// Less or equal.
        lte "lte";
        /// Not equal.
        ne "neq";
        /// The first, or the second if the first is null or absent.
        if_null "ifNull";
        /// What is in the first list and not in the second.
        set_difference "setDifference";
        /// Whether all of the first list is in the second.
        set_is_subset "setIsSubset";
        /// Text in parts, cut at a separator.
        split "split";
        /// -1, 0 or 1 for text, whatever its case.
        strcasecmp "strcasecmp";
    }
    three {
        /// Part of a text: from a byte, so many bytes.
        substr "substr";
        /// Part of a text: from a byte, so many bytes.
        substr_bytes "substrBytes";
        /// Part of a text: from a character, so many characters.
        substr_cp "substrCP";
    }
    many {
        /// The sum; of a date and milliseconds, a date.
        add 1 "add";
        /// The product.
        multiply 1 "multiply";
        /// Lists one after the other.
        concat_arrays 1 "concatArrays";
        /// Where a value is in a list: list, value, and perhaps from where to where. -1 for nowhere.
        index_of_array 2 "indexOfArray";
        /// The integers from one up to another, perhaps in steps.
        range 2 "range";
        /// Part of a list: list and count, or list, place and count.
        slice 2 "slice";
        /// All of them.
        and 1 "and";
        /// At least one of them.
        or 1 "or";
        /// Several objects as one.
        merge_objects 1 "mergeObjects";
        /// Whether all elements of a list are true: the list, in a list.
        all_elements_true 1 "allElementsTrue";
        /// Whether an element of a list is true: the list, in a list.
        any_element_true 1 "anyElementTrue";
        /// Whether lists have the same distinct elements.
        set_equals 2 "setEquals";
        /// What is in all lists.
        set_intersection 1 "setIntersection";
        /// What is in any of the lists.
        set_union 1 "setUnion";
        /// Texts one after the other.
        concat 1 "concat";
        /// Where a text is in another, in bytes: text, part, and perhaps from where to where. -1 for nowhere.
        index_of_bytes 2 "indexOfBytes";
        /// Where a text is in another, in characters: text, part, and perhaps from where to where. -1 for nowhere.
        index_of_cp 2 "indexOfCP";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operators that the platform's own library has.
    const ALL: &str = "pipeline abs add ceil divide exp floor ln log log10 mod multiply pow sqrt subtract trunc \
        arrayElemAt arrayToObject concatArrays filter in indexOfArray isArray map range reduce reverseArray size \
        slice zip and not or cmp eq gt gte lt lte neq cond ifNull switch dateFromParts dateFromString dayOfMonth \
        dayOfWeek dayOfYear isoDayOfWeek isoWeek isoWeekYear millisecond minute month second hour week year literal \
        mergeObjects objectToArray allElementsTrue anyElementTrue setDifference setEquals setIntersection \
        setIsSubset setUnion concat dateToString indexOfBytes indexOfCP split strLenBytes strLenCP strcasecmp \
        substr substrBytes substrCP toLower toUpper meta addToSet avg first last max min push stdDevPop stdDevSamp \
        sum let";
    /// Those that stand in `expr`, and `pipeline` in `aggregate`.
    const OF_THEIR_OWN_KIND: &str = "pipeline filter map reduce zip not cond switch dateFromParts dateFromString \
        dateToString literal meta let";

    #[test]
    fn every_operator_of_the_platform_is_here_once() {
        let mut ours: Vec<_> = OPERATORS.iter().map(|(name, _)| *name).collect();
        ours.extend(OF_THEIR_OWN_KIND.split_whitespace());
        ours.sort_unstable();
        let mut theirs: Vec<_> = ALL.split_whitespace().collect();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }
}
