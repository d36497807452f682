//! The budgets row by row: what each detector makes of each fault, and who is first on a panic.

mod race;
mod table;
