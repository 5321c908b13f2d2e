//! The collection of close scenarios and what each of them expects.
