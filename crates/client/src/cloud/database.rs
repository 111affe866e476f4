//! The database: statements, collections, indexes.

use serde::de::DeserializeOwned;
use tokenward_cloud::wire::{
    AddCollection, ChangeAnswer, CollectionInfo, Collections, CreateIndex, DeleteCollection, Done, DropIndex,
    ListCollections, Pager, UpdateIndex,
};
use tokenward_cloud::{Add, Aggregate, Change, Count, Get, Id, Remove, Statement};

use super::{Again, CallError, Cloud};

/// How many collections are asked for at once.
const COLLECTIONS: u32 = 100;

/// Documents that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The documents.
    pub documents: Vec<T>,
    /// Where they are in the whole.
    pub pager: Pager,
}

impl Cloud {
    async fn statement<S: Statement>(&self, statement: &S, again: Again) -> Result<S::Answer, CallError> {
        let body = serde_json::to_vec(&statement.body(&self.env)).map_err(CallError::Event)?;
        self.post(S::PATH, &[], body, again).await
    }

    /// Reads documents: ten, unless the statement has a limit, and never more than a thousand. For all of them there is
    /// [`Cloud::documents`].
    ///
    /// # Errors
    /// The platform refuses, or a document is not of this type.
    pub async fn query<T: DeserializeOwned>(&self, statement: &Get) -> Result<Page<T>, CallError> {
        let answer = self.statement(statement, Again::Freely).await?;
        Ok(Page { documents: answer.documents()?, pager: answer.pager })
    }

    /// Adds documents, and returns their ids.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn add(&self, statement: &Add) -> Result<Vec<Id>, CallError> {
        Ok(self.statement(statement, Again::Never).await?.id_list)
    }

    /// Changes documents.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn update(&self, statement: &Change) -> Result<ChangeAnswer, CallError> {
        self.statement(statement, Again::Never).await
    }

    /// Replaces a document, or adds it: then `id` says so.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn set(&self, statement: &Change) -> Result<ChangeAnswer, CallError> {
        self.statement(statement, Again::Never).await
    }

    /// Removes documents, and returns how many.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn delete(&self, statement: &Remove) -> Result<u64, CallError> {
        Ok(self.statement(statement, Again::Never).await?.deleted)
    }

    /// Counts documents.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn count(&self, statement: &Count) -> Result<u64, CallError> {
        Ok(self.statement(statement, Again::Freely).await?.count)
    }

    /// Runs a pipeline. The platform's pipelines have no stage that writes.
    ///
    /// # Errors
    /// The platform refuses, or a document is not of this type.
    pub async fn aggregate<T: DeserializeOwned>(&self, statement: &Aggregate) -> Result<Vec<T>, CallError> {
        Ok(self.statement(statement, Again::Freely).await?.documents()?)
    }

    /// Makes a collection.
    ///
    /// # Errors
    /// The platform refuses, also when there is one already.
    pub async fn add_collection(&self, name: &str) -> Result<(), CallError> {
        let Done {} =
            self.call(&AddCollection { env: self.env.clone(), collection_name: name.to_owned() }).await?;
        Ok(())
    }

    /// Removes a collection and all in it.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn delete_collection(&self, name: &str) -> Result<(), CallError> {
        let Done {} =
            self.call(&DeleteCollection { env: self.env.clone(), collection_name: name.to_owned() }).await?;
        Ok(())
    }

    /// All collections.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn collections(&self) -> Result<Vec<CollectionInfo>, CallError> {
        let mut all = Vec::new();
        loop {
            let offset = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let request =
                ListCollections { env: self.env.clone(), limit: Some(COLLECTIONS), offset: Some(offset) };
            let Collections { collections, pager } = self.ask(&request, Again::Freely).await?;
            let read = collections.len();
            all.extend(collections);
            // Without a total, a page that is not full is the last.
            let is_last = match pager.total {
                0 => read < COLLECTIONS as usize,
                total => read == 0 || all.len() as u64 >= total,
            };
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Makes and removes indexes.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn update_indexes(
        &self,
        collection: &str,
        create: Vec<CreateIndex>,
        drop: Vec<DropIndex>,
    ) -> Result<(), CallError> {
        let request = UpdateIndex {
            env: self.env.clone(),
            collection_name: collection.to_owned(),
            create_indexes: create,
            drop_indexes: drop,
        };
        let Done {} = self.call(&request).await?;
        Ok(())
    }
}
