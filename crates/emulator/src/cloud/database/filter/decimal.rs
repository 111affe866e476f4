//! Numbers as decimals of 15 digits, which is what people mean when they write `0.1`.

use crate::cloud::value::Value;

/// A number: the digits, and the power of ten that they are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// Without a sign.
    digits: u64,
    exponent: i32,
}

impl Decimal {
    /// A number: whole ones as they are, others rounded to 15 digits. `None` for what is none, or is infinite.
    pub(super) fn of(value: &Value) -> Option<Decimal> {
        if let Value::Int(_) | Value::Long(_) = value {
            return value.as_i64().map(|whole| Decimal { digits: whole.unsigned_abs(), exponent: 0 });
        }
        let number = value.as_f64().filter(|number| number.is_finite())?.abs();
        // 1.23456789012345e-7
        let text = format!("{number:.14e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let digits = mantissa.replace('.', "").parse().ok()?;
        Some(Decimal { digits, exponent: exponent.parse::<i32>().ok()? - 14 })
    }

    /// Whether it is so many times a step that is not 0.
    pub(super) fn is_multiple_of(self, step: Decimal) -> bool {
        let (step, itself) = (step.plain(), self.plain());
        let shift = i64::from(itself.exponent) - i64::from(step.exponent);
        let (number, modulus) = (u128::from(itself.digits), u128::from(step.digits));
        if number == 0 || modulus == 0 {
            return number == 0;
        }
        if shift < 0 {
            // A step without zeros at its end that is made 10 times longer has a factor that the number lacks.
            return false;
        }
        // Ten to that power, by squares.
        let (mut tens, mut square, mut left) = (1 % modulus, 10 % modulus, shift);
        while left > 0 {
            if left % 2 == 1 {
                tens = tens * square % modulus;
            }
            square = square * square % modulus;
            left /= 2;
        }
        number % modulus * tens % modulus == 0
    }

    /// The same without zeros at the end of its digits.
    fn plain(self) -> Decimal {
        let mut plain = self;
        while plain.digits != 0 && plain.digits.is_multiple_of(10) {
            plain = Decimal { digits: plain.digits / 10, exponent: plain.exponent + 1 };
        }
        plain
    }
}
