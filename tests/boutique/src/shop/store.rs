//! The store of the carts.

use std::sync::{Mutex, PoisonError};

use tonic::{Request, Response, Status};

use crate::bounded::Bounded;
use crate::wire::store_service_server::StoreService;
use crate::wire::{GetValueRequest, GetValueResponse, SetValueRequest, SetValueResponse};

/// Keys that are kept.
const KEYS: usize = 50_000;
/// The longest value, in bytes.
const LONGEST: usize = 16 * 1024;

/// The service.
#[derive(Debug)]
pub(super) struct Store(Mutex<Bounded<Vec<u8>>>);

impl Default for Store {
    fn default() -> Self {
        Self(Mutex::new(Bounded::new(KEYS)))
    }
}

#[tonic::async_trait]
impl StoreService for Store {
    async fn get_value(
        &self,
        request: Request<GetValueRequest>,
    ) -> Result<Response<GetValueResponse>, Status> {
        let key = request.into_inner().key;
        let value = self.values().get(&key).cloned();
        Ok(Response::new(GetValueResponse { value }))
    }

    async fn set_value(
        &self,
        request: Request<SetValueRequest>,
    ) -> Result<Response<SetValueResponse>, Status> {
        let SetValueRequest { key, value } = request.into_inner();
        if value.len() > LONGEST {
            return Err(Status::resource_exhausted(format!("a value has at most {LONGEST} bytes")));
        }
        let mut values = self.values();
        if value.is_empty() {
            values.forget(&key);
        } else {
            values.set(&key, value);
        }
        Ok(Response::new(SetValueResponse {}))
    }
}

impl Store {
    /// The values, also after a panic elsewhere: they are changed by one call or not at all.
    fn values(&self) -> std::sync::MutexGuard<'_, Bounded<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
