//! The bucket itself: `s3s-fs`, and around it what it lacks: a bucket must exist, and a request
//! may carry a quirk of the server.

use super::BUCKET;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput, HeadBucketInput,
    HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output,
    PutObjectInput, PutObjectOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

/// A quirk that a request's extensions carry to the bucket, behind the check of the signature.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quirk {
    /// `If-None-Match` is not known.
    pub no_conditions: bool,
    /// User metadata are dropped.
    pub no_metadata: bool,
}

/// The bucket.
pub struct Bucket(pub FileSystem);

fn known(bucket: &str) -> S3Result<()> {
    if bucket == BUCKET { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
}

#[async_trait::async_trait]
impl S3 for Bucket {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        known(&request.input.bucket)?;
        let quirk = request.extensions.get::<Quirk>().copied().unwrap_or_default();
        if quirk.no_conditions {
            request.input.if_none_match = None;
        }
        if quirk.no_metadata {
            request.input.metadata = None;
        }
        self.0.put_object(request).await
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        known(&request.input.bucket)?;
        self.0.get_object(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        known(&request.input.bucket)?;
        self.0.head_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        known(&request.input.bucket)?;
        self.0.delete_object(request).await
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.0.head_bucket(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.0.list_objects_v2(request).await
    }
}
