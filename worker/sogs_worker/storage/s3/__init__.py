"""Objects in S3 buckets."""
