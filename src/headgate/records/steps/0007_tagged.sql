UPDATE requests SET tagged = found.tagged FROM (
    SELECT number, $TAGS AS tagged FROM (SELECT number, tag FROM tags ORDER BY number, tag) AS sorted GROUP BY number
) AS found WHERE found.number = requests.number AND requests.tagged IS NULL
