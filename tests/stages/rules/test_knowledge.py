"""Which knowledge bases a request names, in the vendors' APIs."""

from headgate.stages.rules.knowledge import in_fields, in_path
from together import together

BODIES = [
    ({"tools": [{"type": "file_search", "vector_store_ids": ["a", "b"]}]}, ["a", "b"]),
    ({"tool_resources": {"file_search": {"vector_store_ids": ["a"]}}}, ["a"]),
    ({"data_sources": [{"type": "azure_search", "parameters": {"index_name": "a", "endpoint": "https://x"}}]}, ["a"]),
    ({"tools": [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/a"]}}]}, ["fileSearchStores/a"]),
    ({"tools": [{"retrieval": {"vertexRagStore": {"ragResources": [{"ragCorpus": "a"}]}}}]}, ["a"]),
    ({"tools": [{"retrieval": {"vertexAiSearch": {"datastore": "a"}}}]}, ["a"]),
    ({"retrieveAndGenerateConfiguration": {"knowledgeBaseConfiguration": {"knowledgeBaseId": "a"}}}, ["a"]),
    ({"connectors": [{"id": "a"}, {"id": "web-search"}]}, ["a", "web-search"]),
    ({"tools": [{"type": "document_library", "library_ids": ["a"]}]}, ["a"]),
    ({"tools": [{"type": "mcp", "connector_id": "connector_a"}]}, ["connector_a"]),
    ({"messages": [{"content": {"vector_store_ids": ["said"]}}]}, []),
    ({"tools": [{"function": {"parameters": {"properties": {"index_name": {"type": "string"}}}}}]}, []),
    ({"vector_store_id": "a", "vector_store_ids": [1, None, "b"]}, ["a", "b"]),
]
PATHS = [
    (b"/v1/vector_stores/vs_1/search", ["vs_1"]),
    (b"/v1beta/fileSearchStores/a%2Db/documents?x=/indexes/no", ["a-b"]),
    (b"/knowledgebases/KB1/retrieve", ["KB1"]),
    (b"/v1/vector_stores", []),
    (b"", []),
]


@together(("fields", "names"), BODIES)
def test_it_is_found_in_bodies(fields, names):
    assert sorted(in_fields(fields)) == sorted(names)


@together(("path", "names"), PATHS)
def test_it_is_found_in_paths(path, names):
    assert list(in_path(path)) == names
