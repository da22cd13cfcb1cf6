-- Paths of the files of versions have no slash behind them; 0029 left those that addresses ended with.
UPDATE model_version
SET files_path = rtrim(files_path, '/')
WHERE files_path LIKE '%/';
