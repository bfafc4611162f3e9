//! Listing a resource page by page.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::ClusterError;

/// Longest wait for one page: an API server gives up on a list after 60 s.
const PAGE_DEADLINE: Duration = Duration::from_secs(30);
/// Objects per page; the size `kubectl` uses.
const PAGE_SIZE: u32 = 500;
/// The token of a listing has expired and the listing must start again.
const GONE: u16 = 410;

/// What is being listed and where, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) scope: String,
}

/// All objects of a namespaced kind: of `namespaces`, or of all of them if it is empty.
pub(crate) async fn list_namespaced<K>(
    client: &Client,
    namespaces: &[String],
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    list_of(client, namespaces, &ListParams::default()).await
}

/// The objects of a namespaced kind with the labels `selector`: of `namespaces`, or of all of them if it is empty.
pub(crate) async fn list_labelled<K>(
    client: &Client,
    namespaces: &[String],
    selector: &str,
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    list_of(client, namespaces, &ListParams::default().labels(selector)).await
}

async fn list_of<K>(
    client: &Client,
    namespaces: &[String],
    wanted: &ListParams,
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    if namespaces.is_empty() {
        let api = Api::<K>::all(client.clone());
        return list_pages(&api, wanted, &listing::<K>(String::new())).await;
    }
    let mut objects = Vec::new();
    for namespace in namespaces {
        let scope = format!(" in namespace {namespace}");
        let api = Api::<K>::namespaced(client.clone(), namespace);
        objects.extend(list_pages(&api, wanted, &listing::<K>(scope)).await?);
    }
    Ok(objects)
}

/// All objects of a kind in the whole cluster.
pub(crate) async fn list_all<K>(client: &Client) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let wanted = ListParams::default();
    list_pages(&Api::all(client.clone()), &wanted, &listing::<K>(String::new())).await
}

fn listing<K: Resource<DynamicType = ()>>(scope: String) -> Listing {
    Listing { group: K::group(&()).into_owned(), resource: K::plural(&()).into_owned(), scope }
}

async fn list_pages<K>(
    api: &Api<K>,
    wanted: &ListParams,
    listing: &Listing,
) -> Result<Vec<K>, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let first = wanted.clone().limit(PAGE_SIZE);
    let (mut objects, mut parameters, mut restarted) = (Vec::new(), first.clone(), false);
    loop {
        let answer = timeout(PAGE_DEADLINE, api.list(&parameters)).await.map_err(|_| {
            ClusterError::TimedOut { resource: listing.resource.clone(), deadline: PAGE_DEADLINE }
        })?;
        let page = match answer {
            Err(kube::Error::Api(status)) if status.code == GONE && !restarted => {
                restarted = true;
                objects.clear();
                parameters = first.clone();
                continue;
            }
            answer => answer.map_err(|error| ClusterError::of(error, listing))?,
        };
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = first.clone().continue_token(&token),
            None => return Ok(objects),
        }
    }
}
