//! Currencies.

use tonic::{Request, Response, Status};

use crate::exchange::{codes, convert};
use crate::wire::currency_service_server::CurrencyService;
use crate::wire::{
    ConvertRequest, ConvertResponse, GetSupportedCurrenciesRequest, GetSupportedCurrenciesResponse,
};

use super::required;

/// The service.
#[derive(Debug)]
pub(super) struct Currencies;

#[tonic::async_trait]
impl CurrencyService for Currencies {
    async fn get_supported_currencies(
        &self,
        _: Request<GetSupportedCurrenciesRequest>,
    ) -> Result<Response<GetSupportedCurrenciesResponse>, Status> {
        Ok(Response::new(GetSupportedCurrenciesResponse { currency_codes: codes() }))
    }

    async fn convert(
        &self,
        request: Request<ConvertRequest>,
    ) -> Result<Response<ConvertResponse>, Status> {
        let request = request.into_inner();
        let from = required(request.from, "from")?;
        let refused =
            || format!("`{}` or `{}` is no currency here", from.currency_code, request.to_code);
        let amount = convert(&from, &request.to_code);
        let amount = amount.ok_or_else(|| Status::invalid_argument(refused()))?;
        Ok(Response::new(ConvertResponse { amount: Some(amount) }))
    }
}
