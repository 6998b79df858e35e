//! Declaration of a table's keys: once, for the reader, the printer and the catalog.

use super::Config;
use super::form::Form;

/// A table of the configuration: names every key it has to a visitor.
pub(super) trait Table {
    /// Its name between the brackets; one with a point is within the table before the point.
    const NAME: &'static str;
    /// One line that describes the table.
    const MEANING: &'static str;

    /// Shows each key, in the order in which they are printed.
    fn keys(&mut self, visitor: &mut impl Visitor);
}

/// A visitor of the tables of a configuration.
pub(super) trait TableVisitor {
    /// One table; those of the applications are not among them.
    fn table<T: Table>(&mut self, table: &mut T);
}

impl Config {
    /// Shows each table that a file has once, in the order in which they are printed.
    pub(super) fn tables(&mut self, visitor: &mut impl TableVisitor) {
        visitor.table(&mut self.node);
        visitor.table(&mut self.http);
        visitor.table(&mut self.http.limits);
        visitor.table(&mut self.http.tls);
        visitor.table(&mut self.ajp);
        visitor.table(&mut self.admin);
        visitor.table(&mut self.cluster);
        visitor.table(&mut self.membership);
        visitor.table(&mut self.sender);
        visitor.table(&mut self.receiver);
        visitor.table(&mut self.replication);
        visitor.table(&mut self.session);
        visitor.table(&mut self.store);
        visitor.table(&mut self.farm);
        visitor.table(&mut self.farm.grants);
    }
}

/// A visitor of the keys of a table.
pub(super) trait Visitor {
    /// A key with its form, its field and its meaning.
    fn key<F: Form>(&mut self, name: &'static str, form: F, field: &mut F::Value, meaning: &'static str);

    /// A key that has one possible value in this version: `value`, in force whether the key is given or not.
    fn only<F: Form<Value: PartialEq>>(
        &mut self,
        name: &'static str,
        form: F,
        value: F::Value,
        meaning: &'static str,
    );

    /// A key that belongs to a part which this version does not have.
    fn later(&mut self, name: &'static str, meaning: &'static str);
}
