-- Which folder a root of artifacts means: the mark that lies in it, so that no server goes on in another one.
CREATE TABLE artifact_mark (
    root text PRIMARY KEY,
    mark uuid NOT NULL UNIQUE
);
