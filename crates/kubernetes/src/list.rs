//! Listing a resource page by page.

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::core::Request;
use kube::{Client, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ClusterError;
use crate::ask::{Asked, ask};

/// Objects per page; the size `kubectl` uses.
const PAGE_SIZE: u32 = 500;
/// The token of a listing has expired and the listing must start again.
const GONE: u16 = 410;

/// All objects of a namespaced kind: of `namespaces`, or of all of them if it is empty.
pub(crate) async fn list_namespaced<K>(
    client: &Client,
    namespaces: &[String],
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
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
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
{
    list_of(client, namespaces, &ListParams::default().labels(selector)).await
}

async fn list_of<K>(
    client: &Client,
    namespaces: &[String],
    wanted: &ListParams,
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
{
    if namespaces.is_empty() {
        return list_pages::<K, K>(client, None, wanted).await;
    }
    let mut objects = Vec::new();
    for namespace in namespaces {
        objects.extend(list_pages::<K, K>(client, Some(namespace), wanted).await?);
    }
    Ok(objects)
}

/// All objects of a kind in the whole cluster.
pub(crate) async fn list_all<K>(client: &Client) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    list_all_as::<K, K>(client).await
}

/// What `T` keeps of each object of the kind `K` in the whole cluster.
pub(crate) async fn list_all_as<K, T>(client: &Client) -> Result<Vec<T>, ClusterError>
where
    K: Resource<DynamicType = ()>,
    T: DeserializeOwned,
{
    list_pages::<K, T>(client, None, &ListParams::default()).await
}

async fn list_pages<K, T>(
    client: &Client,
    namespace: Option<&str>,
    wanted: &ListParams,
) -> Result<Vec<T>, ClusterError>
where
    K: Resource<DynamicType = ()>,
    T: DeserializeOwned,
{
    let asked = asked_list(&K::group(&()), &K::plural(&()), namespace);
    let path = Request::new(K::url_path(&(), namespace));
    pages(client, &asked, wanted, |parameters| path.list(parameters)).await
}

/// What is asked for by listing, for messages.
pub(crate) fn asked_list(group: &str, plural: &str, namespace: Option<&str>) -> Asked {
    Asked {
        verb: "list",
        group: group.to_owned(),
        resource: plural.to_owned(),
        scope: namespace.map(|name| format!(" in namespace {name}")).unwrap_or_default(),
    }
}

/// A page of a listing.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    #[serde(default)]
    metadata: PageMetadata,
    items: Option<Vec<T>>,
}

#[derive(Deserialize, Default)]
struct PageMetadata {
    #[serde(rename = "continue")]
    token: Option<String>,
}

/// All objects of a listing, of which `request` makes the request of a page.
pub(crate) async fn pages<T: DeserializeOwned>(
    client: &Client,
    asked: &Asked,
    wanted: &ListParams,
    request: impl Fn(&ListParams) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Vec<T>, ClusterError> {
    let first = wanted.clone().limit(PAGE_SIZE);
    let (mut objects, mut parameters, mut restarted) = (Vec::new(), first.clone(), false);
    loop {
        let request = request(&parameters)
            .map_err(|error| ClusterError::of(kube::Error::BuildRequest(error), asked))?;
        let page: Page<T> = match ask(client, &request, asked).await {
            Err(ClusterError::Failed { code: GONE, .. }) if !restarted => {
                restarted = true;
                objects.clear();
                parameters = first.clone();
                continue;
            }
            answer => answer?,
        };
        objects.extend(page.items.into_iter().flatten());
        match page.metadata.token.filter(|token| !token.is_empty()) {
            Some(token) => parameters = first.clone().continue_token(&token),
            None => return Ok(objects),
        }
    }
}
