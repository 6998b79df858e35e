//! What of a session stays on this node: attributes that do not replicate, and values that cannot be encoded.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use sessile_core::{FieldName, Value};

use super::error::SessionError;
use super::session::Session;
use sessile_node::host::{LocalChanges, LocalValues, Object};

/// Most values that [`Session::set_local`] keeps for one session.
const LOCAL_VALUES_MAX: usize = 256;

/// The part of a request's draft that goes nowhere.
#[derive(Default)]
pub(crate) struct LocalDraft {
    opened: Option<Arc<LocalValues>>,
    changes: LocalChanges,
}

impl LocalDraft {
    /// The draft of a request whose session has these values here.
    pub(crate) fn held(opened: Option<Arc<LocalValues>>) -> Self {
        Self { opened, ..Self::default() }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Value> {
        let opened = self.opened.as_ref().map(|opened| &opened.attributes);
        find(&self.changes.attributes, opened, name)
    }

    /// The names of all attributes that are here.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let opened = self.opened.iter().flat_map(|opened| opened.attributes.keys());
        opened.chain(self.changes.attributes.keys()).filter(|name| self.attribute(name).is_some())
    }

    pub(crate) fn put(&mut self, name: &FieldName, value: Value) {
        self.changes.attributes.insert(name.as_str().to_owned(), Some(value));
    }

    pub(crate) fn remove(&mut self, name: &FieldName) {
        if self.attribute(name.as_str()).is_some() {
            self.changes.attributes.insert(name.as_str().to_owned(), None);
        }
    }

    /// Whether the request wrote the attribute.
    pub(crate) fn has_written(&self, name: &str) -> bool {
        self.changes.attributes.contains_key(name)
    }

    /// Bytes of the attributes as the request found them.
    pub(crate) fn weight(&self) -> usize {
        self.opened.as_ref().map_or(0, |opened| opened.weight())
    }

    /// What is to be kept.
    pub(crate) fn take_changes(&mut self) -> LocalChanges {
        std::mem::take(&mut self.changes)
    }

    fn object(&self, name: &str) -> Option<&Object> {
        find(&self.changes.objects, self.opened.as_ref().map(|opened| &opened.objects), name)
    }

    fn has_room_for(&self, name: &str) -> bool {
        let opened = self.opened.as_ref().map_or(0, |opened| opened.objects.len());
        opened + self.changes.objects.len() < LOCAL_VALUES_MAX || self.object(name).is_some()
    }

    /// Puts or removes a value. What this request had put there before is given back, to be dropped where no
    /// lock is held: a value may do anything when it goes.
    fn change_object(&mut self, name: &str, object: Option<Object>) -> Option<Object> {
        self.changes.objects.insert(name.to_owned(), object).flatten()
    }
}

/// A value as the request left it.
fn find<'v, V>(
    changes: &'v BTreeMap<String, Option<V>>,
    opened: Option<&'v BTreeMap<String, V>>,
    name: &str,
) -> Option<&'v V> {
    match changes.get(name) {
        Some(change) => change.as_ref(),
        None => opened?.get(name),
    }
}

impl Session {
    /// Keeps `value` under `name` on this node, making a session when there is none: a connection, a cache,
    /// whatever cannot be encoded. It is kept when the handler has returned, and goes with the session,
    /// wherever that ends.
    ///
    /// **It never leaves this node.** After a failover, or when a balancer sends the user elsewhere, it is
    /// absent there and the application makes it anew. These names are apart from those of attributes.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sessile_web::{Session, SessionError};
    /// # #[derive(Default)]
    /// # struct Thumbnails;
    /// async fn page(session: Session) -> Result<(), SessionError> {
    ///     let thumbnails = match session.get_local::<Thumbnails>("thumbnails") {
    ///         Some(known) => known,
    ///         None => {
    ///             session.set_local("thumbnails", Thumbnails::default())?;
    ///             session.get_local("thumbnails").expect("it was just set")
    ///         }
    ///     };
    ///     # let _: Arc<Thumbnails> = thumbnails;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`TooManyLocal`](SessionError::TooManyLocal) when the session has 256 of them;
    /// [`InCookie`](SessionError::InCookie) where sessions live in their cookies; what refuses any write.
    pub fn set_local<T: Any + Send + Sync>(&self, name: &str, value: T) -> Result<(), SessionError> {
        let name = FieldName::attribute(name)?;
        if self.is_client_side() {
            return Err(SessionError::InCookie);
        }
        if !self.writable()?.draft.local.has_room_for(name.as_str()) {
            let (name, max) = (name.as_str().to_owned(), LOCAL_VALUES_MAX);
            return Err(SessionError::TooManyLocal { name, max });
        }
        let value: Object = Arc::new(value);
        let displaced = self.with_session(|draft| draft.local.change_object(name.as_str(), Some(value)))?;
        drop(displaced);
        Ok(())
    }

    /// What [`set_local`](Self::set_local) keeps under `name` on this node; `None` when there is no such
    /// value here, or it is no `T`. A value that is missing although there is a session is counted in the
    /// metrics: so many users came from another node, or for the first time.
    pub fn get_local<T: Any + Send + Sync>(&self, name: &str) -> Option<Arc<T>> {
        let object = self.used().draft.local.object(name).cloned();
        if object.is_none() {
            self.count_missed_value();
        }
        object?.downcast().ok()
    }

    /// Removes what [`set_local`](Self::set_local) keeps under `name`; says whether there was something.
    ///
    /// # Errors
    /// What refuses any write.
    pub fn remove_local(&self, name: &str) -> Result<bool, SessionError> {
        let mut state = self.writable()?;
        let was_there = state.draft.local.object(name).is_some();
        let displaced = if was_there { state.draft.local.change_object(name, None) } else { None };
        drop(state);
        drop(displaced);
        Ok(was_there)
    }
}
