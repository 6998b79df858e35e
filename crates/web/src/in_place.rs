//! Attributes that are changed in place.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sessile_core::{FieldName, Value};

use super::borrows::Borrow;
use super::codec;
use super::error::SessionError;
use super::session::Session;

/// An attribute that can be changed in place, made by [`Session::get_mut`].
///
/// It is an owned value: it may be held across `.await`, sent to another task, and held together with those
/// of other attributes. When it is dropped the value is encoded again and compared with what it was.
pub struct AttributeMut<T> {
    session: Session,
    name: FieldName,
    borrow: Borrow,
    value: T,
    /// How it was encoded before anything was changed.
    before: Value,
    encode: Encode<T>,
}

type Encode<T> = fn(&T) -> Result<Value, String>;

impl Session {
    /// The attribute `name`, to be changed in place; `None` when there is none. Never makes a session.
    ///
    /// What happens to a change **depends on the manager**. With `[cluster] manager = "full"` and
    /// `[replication] dirty_flag = false` it is committed with the request, as if it had been set. With every
    /// other manager, and with `dirty_flag = true`, a change that nobody sets is dropped when the request is
    /// over, on this node too, for all copies of a session must be equal; it is counted
    /// ([`Statistics::discarded`](crate::Statistics::discarded)), and a warning names the attribute.
    /// [`AttributeMut::set`] sets it everywhere, whatever is configured.
    ///
    /// Drop the handle before the handler returns: the session is committed then. Later reads of this request
    /// see the change once it is dropped. If this request sets the attribute, before or after, the change
    /// belongs to that: made in place after the `set` it travels with it, and a `set` or `remove` while the
    /// handle is out makes it void.
    ///
    /// ```
    /// # use sessile_web::{AttributeMut, Session, SessionError};
    /// async fn add(session: Session, item: String) -> Result<(), SessionError> {
    ///     if let Some(mut cart) = session.get_mut::<Vec<String>>("cart")? {
    ///         cart.push(item); // travels by itself with `full` and `dirty_flag = false` …
    ///         AttributeMut::set(cart)?; // … and with this line always
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NotDecodable`](SessionError::NotDecodable) or [`NotEncodable`](SessionError::NotEncodable) when it
    /// is no `T`; [`AlreadyBorrowed`](SessionError::AlreadyBorrowed) while another handle of this attribute
    /// is out; what refuses any write.
    pub fn get_mut<T>(&self, name: &str) -> Result<Option<AttributeMut<T>>, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        let decode = |value: &Value| {
            let value = codec::decode(value).map_err(|reason| self.not_decodable(name, reason))?;
            // The value as it was set may be older than the type, or come from a map in another order.
            let before = codec::encode(&value)
                .map_err(|reason| SessionError::NotEncodable { name: name.to_owned(), reason })?;
            Ok((value, before))
        };
        self.borrow(name, decode, codec::encode::<T>)
    }

    /// The encoded bytes of the attribute `name`, to be changed in place: as [`get_mut`](Self::get_mut), for
    /// what [`set_bytes`](Self::set_bytes) put there. Whatever they were before, changed they are the
    /// application's own.
    ///
    /// # Errors
    /// As [`get_mut`](Self::get_mut).
    pub fn get_bytes_mut(&self, name: &str) -> Result<Option<AttributeMut<Vec<u8>>>, SessionError> {
        let decode = |value: &Value| Ok((value.bytes.to_vec(), Value::raw(value.bytes.clone())));
        self.borrow(name, decode, |bytes| Ok(Value::raw(bytes.clone())))
    }

    fn borrow<T>(
        &self,
        name: &str,
        decode: impl FnOnce(&Value) -> Result<(T, Value), SessionError>,
        encode: Encode<T>,
    ) -> Result<Option<AttributeMut<T>>, SessionError> {
        let name = FieldName::attribute(name)?;
        let mut state = self.writable()?;
        let Some(value) = state.draft.get(name.as_str()) else { return Ok(None) };
        let borrow = state.draft.borrow(&name)?;
        drop(state);
        let (value, before) = decode(&value)?;
        Ok(Some(AttributeMut { session: self.clone(), name, borrow, value, before, encode }))
    }
}

impl<T> AttributeMut<T> {
    /// Sets the attribute to the value as it is now, which is a write like [`Session::set`]: it travels with
    /// every manager.
    ///
    /// # Errors
    /// As [`Session::set`].
    pub fn set(this: Self) -> Result<(), SessionError> {
        let value = this.encoded()?;
        this.session.put(this.name.as_str(), value)
    }

    fn encoded(&self) -> Result<Value, SessionError> {
        let refused = |reason| SessionError::NotEncodable { name: self.name.as_str().to_owned(), reason };
        (self.encode)(&self.value).map_err(refused)
    }
}

impl<T> Drop for AttributeMut<T> {
    fn drop(&mut self) {
        // A handler that panics changes nothing, and its values may not be fit for encoding.
        if std::thread::panicking() {
            return;
        }
        let after = self.encoded();
        let changed = (after.as_ref() != Ok(&self.before)).then_some(after);
        self.session.take_back(&self.name, &self.borrow, changed);
    }
}

impl<T> Deref for AttributeMut<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for AttributeMut<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// The name; never the value, which may be a secret.
impl<T> fmt::Debug for AttributeMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributeMut").field("name", &self.name).finish_non_exhaustive()
    }
}
